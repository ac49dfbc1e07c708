import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EdgedeckProcess, edgedeck } from '../../support/edgedeck.ts'
import { ExecFleet } from '../../support/exec-fleet.ts'

const BY_ROLE = `case $ROLE in
  hang) sleep 150;;
  flood) yes 0123456789 | head -c 3000000;;
  odd) echo other; echo wrong >&2; exit 3;;
  *) printf '\\344\\270'; sleep 0.2; printf '\\255\\346\\226\\207\\033]52;c;eA==\\007\\n';;
esac`

interface Told {
  readonly node: string
  readonly end: string
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: number
  readonly truncated: boolean
  readonly error: { readonly code: string; readonly next: readonly string[] } | null
}

describe('edgedeck exec over real SSH servers', { timeout: 300_000 }, () => {
  it('has an outcome for every node, whatever the others do', async () => {
    await using server = await ExecFleet.server()
    await using frozen = await ExecFleet.server()
    using fleet = new ExecFleet({
      'fine-1': { server },
      'fine-2': { server },
      odd: { server },
      hang: { server },
      flood: { server },
      stopped: { server: frozen },
      changed: { server, fault: 'wrong' },
      strange: { server, fault: 'unknown' },
      shut: { server, fault: 'unauthorized' },
    })
    frozen.signalAll('SIGSTOP')
    const limits = ['--timeout', '25s', '--connect-timeout', '30s', '--max-output', '100KB']
    const args = ['exec', '--config', fleet.configFile, '--all', '-o', 'json', ...limits, '--shell', BY_ROLE]
    const { code, stdout, stderr } = await edgedeck(args, fleet.env)
    const told = Object.fromEntries((JSON.parse(stdout) as Told[]).map((one) => [one.node, one]))
    const chinese = { end: 'exited', exitCode: 0, stdout: '中文\x1b]52;c;eA==\x07\n', truncated: false }
    expect(told['fine-1']).toMatchObject(chinese)
    expect(told['fine-2']).toMatchObject(chinese)
    expect(told.odd).toMatchObject({ end: 'exited', exitCode: 3, stdout: 'other\n', stderr: 'wrong\n' })
    expect(told.flood).toMatchObject({ exitCode: 0, stdoutBytes: 3_000_000, truncated: true })
    expect(told.flood?.stdout).toHaveLength(100_000)
    expect(told.hang).toMatchObject({ end: 'timeout', error: { code: 'TIMEOUT' } })
    expect(told.stopped).toMatchObject({ end: 'unreachable' })
    for (const [name, because] of Object.entries({ changed: 'SSH_HOST_KEY', strange: 'SSH_HOST_KEY', shut: 'SSH_' })) {
      expect(told[name], name).toMatchObject({ end: 'unreachable', error: { code: expect.stringContaining(because) } })
      expect(told[name]?.error?.next.join()).not.toBe('')
    }
    expect(stderr).toMatch(/edgedeck: 3 of 9 ok, 1 failed \(exit 3\), 4 unreachable, 1 timed out, /)
    expect(code).toBe(1)
    const folder = join(fleet.stateDir, 'edgedeck/recordings/default')
    const recorded = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toContain('fine-1  | 中文␛]52;c;eA==␇')
  })

  it('stops in order when it is interrupted, and at once when it is again', async () => {
    await using server = await ExecFleet.server()
    using fleet = new ExecFleet({ hang: { server } })
    const args = ['exec', '--config', fleet.configFile, 'hang', '--shell', 'echo on; trap "" INT TERM HUP; sleep 150']
    const command = new EdgedeckProcess(args, fleet.env)
    await command.until(() => command.stdout.includes('hang | on'), 60_000)
    command.child.kill('SIGINT')
    await command.until(() => command.stderr.includes('asking hang to stop; again breaks off'))
    command.child.kill('SIGINT')
    const { code, stderr } = await command.result
    expect(stderr).toContain('edgedeck: hang: stopped; it may still run there')
    expect(code).toBe(130)
  })
})
