import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { KEY_CREDENTIAL as NODE_KEY } from '../../../edge-daemon/identity/files.ts'
import { KEY_CREDENTIAL as STORE_KEYS } from '../../../edge-daemon/store/key-file.ts'
import { PASSPHRASE_CREDENTIAL } from '../../../src/controller/passphrase.ts'

const FOLDER = fileURLToPath(new URL('../../../deploy/systemd', import.meta.url))
const run = promisify(execFile)
/** Exposure, in tenths of the ten that systemd counts, that is allowed at most. */
const MOST_EXPOSED = '15'

function unit(name: string) {
  const text = readFileSync(path.join(FOLDER, name), 'utf8')
  const values = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
    if (key !== '') values.set(key, [...(values.get(key) ?? []), value])
  }
  return { text, first: (key: string) => values.get(key)?.[0], has: (key: string) => values.has(key) }
}

/** What systemd says of a unit; null where it is not installed. */
async function analyzed(...args: string[]): Promise<{ ok: boolean; said: string } | null> {
  try {
    const { stdout, stderr } = await run('systemd-analyze', args)
    return { ok: true, said: stdout + stderr }
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string }
    return code === 'ENOENT' ? null : { ok: false, said: `${stdout}${stderr}` }
  }
}

test.each(['edge-daemon.service', 'edgedeck-controller.service'])(
  '%s runs in a sandbox that systemd finds tight',
  async (name) => {
    const its = unit(name)
    expect(its.first('User')).toMatch(/^edgedeck/)
    expect(its.first('CapabilityBoundingSet')).toBe('')
    for (const key of ['NoNewPrivileges', 'PrivateTmp', 'RestrictSUIDSGID', 'LockPersonality'])
      expect(its.first(key)).toBe('yes')
    expect(its.first('ProtectSystem')).toBe('strict')
    expect(its.first('RestartPreventExitStatus')).toBe('64 78')
    // Node writes the code that it runs; and a watchdog that nothing feeds would end a node that works.
    expect([its.has('MemoryDenyWriteExecute'), its.has('WatchdogSec')]).toEqual([false, false])

    const security = await analyzed(
      'security',
      '--offline=true',
      `--threshold=${MOST_EXPOSED}`,
      path.join(FOLDER, name),
    )
    if (security !== null) expect(security).toMatchObject({ ok: true, said: expect.stringContaining('exposure level') })
    const dir = mkdtempSync(path.join(tmpdir(), 'edgedeck-unit-'))
    // What it starts and as whom is not on the machine of a test.
    const here = its.text.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true').replace(/^(User|Group)=.*/gm, '$1=root')
    writeFileSync(path.join(dir, name), here)
    const verified = await analyzed('verify', path.join(dir, name))
    rmSync(dir, { recursive: true })
    if (verified !== null) expect(verified).toEqual({ ok: true, said: '' })
  },
)

test('the credentials in the units are those that are looked for', () => {
  const daemon = unit('edge-daemon.service').text
  expect(daemon).toContain(`LoadCredential=${STORE_KEYS}:`)
  expect(daemon).toContain(`LoadCredential=${NODE_KEY}:`)
  expect(unit('edgedeck-controller.service').text).toContain(`LoadCredential=${PASSPHRASE_CREDENTIAL}:`)
})
