import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import { DaemonHome, LAUNCHER, postPicture, runDaemon, SOURCE } from '../../support/edge-daemon.ts'
import { samplePicture } from '../../support/pictures.ts'

describe.each([
  ['from the bundle', LAUNCHER],
  ['from source', SOURCE],
])('edge-daemon %s', (_, program) => {
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'edgedeck-daemon-'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    runDaemon([process.execPath, program, ...args], env)

  it('shows every setting in force and where it is from: file, environment, command line', async () => {
    const file = join(dir, 'config.yaml')
    writeFileSync(file, 'node:\n  name: press-1\nalerts:\n  after: 5s\nstore:\n  maxBytes: 3MB\n')
    const { code, stdout, stderr } = await run(['--config', file, '--state-dir', '/tmp/elsewhere', '--print-config'], {
      EDGE_CONTROL_LISTEN: '127.0.0.1:6443',
      EDGE_ALERTS_AFTER: '7s',
      EDGE_NODE_NAM: 'typo',
    })
    expect({ code, warned: stderr }).toEqual({
      code: 0,
      warned: 'edge-daemon: EDGE_NODE_NAM: unknown variable; did you mean EDGE_NODE_NAME?\n',
    })
    const line = (path: string) => stdout.split('\n').find((text) => text.startsWith(`${path}: `)) ?? ''
    expect(line('node.name')).toMatch(new RegExp(`^node.name: press-1 +# ${file}:2; EDGE_NODE_NAME; `))
    expect(line('alerts.after')).toMatch(/^alerts.after: 7s +# env EDGE_ALERTS_AFTER; /)
    expect(line('store.maxBytes')).toMatch(new RegExp(`^store.maxBytes: 3MB +# ${file}:6; `))
    expect(line('control.listen')).toMatch(/^control.listen: 127.0.0.1:6443 +# env EDGE_CONTROL_LISTEN; /)
    expect(line('state.dir')).toMatch(/^state.dir: \/tmp\/elsewhere +# --state-dir; /)
    expect(line('filter.abnormalPerSec')).toMatch(/^filter.abnormalPerSec: 200 +# default; /)
  })

  it('tells its version and its options', async () => {
    const [version, help] = await Promise.all([run(['--version']), run(['--help'])])
    expect(version).toMatchObject({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' })
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--print-config'), stderr: '' })
  })

  it.each([['--confg'], ['serve']])('answers %s, which it does not know, in one line with code 64', async (arg) => {
    const { code, stdout, stderr } = await run([arg])
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^edge-daemon: USAGE: .*'${arg}'.* → see edge-daemon --help\n$`))
  })

  it('serves, settings by environment alone, and ends with 0 when it is told to', async () => {
    await using home = new DaemonHome()
    writeFileSync(home.configFile, '')
    const { daemon, inferUrl, liveUrl, epoch } = await home.serve({
      program,
      args: ['--state-dir', home.stateDir],
      env: {
        EDGE_INFERENCE_LISTEN: '127.0.0.1:0',
        EDGE_CONTROL_LISTEN: '127.0.0.1:0',
        EDGE_MODELS_DIR: fileURLToPath(new URL('../../../models', import.meta.url)),
      },
    })
    const status = async (path: string) => (await fetch(`${inferUrl}${path}`)).status
    expect(await postPicture(inferUrl, samplePicture(7))).toMatchObject({ code: 200, pred: 7, stored: true, epoch })
    expect([await status('/healthz'), await status('/readyz'), await status('/metrics')]).toEqual([200, 200, 404])
    const metrics = await fetch(new URL('/metrics', liveUrl.replace('ws:', 'http:')))
    expect([metrics.status, await metrics.text()]).toEqual([
      200,
      expect.stringContaining('edge_inference_requests_total'),
    ])
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.stderr).toBe('')
  })
})
