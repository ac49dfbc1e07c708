import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DaemonHome, type Served } from '../support/edge-daemon.ts'
import { freePort } from '../support/free-port.ts'
import { PtyProcess } from '../support/pty.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))
const ESC = '\u001b'

/** The console over a real daemon on a real terminal; the tests are a story in order. */
describe('the log screen over a daemon', () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-logs-e2e-'))
  let home: DaemonHome
  let control: string
  let served: Served
  let pty: PtyProcess
  let type: (keys: string) => void
  let until: (wanted: (screen: string) => boolean) => Promise<void>

  beforeAll(async () => {
    home = new DaemonHome()
    control = `127.0.0.1:${await freePort()}`
    // It is started again at the same address.
    home.configure({ 'control.listen': control })
    served = await home.serve()
    const env = { ...process.env, TERM: 'xterm-256color', TZ: 'UTC', XDG_CONFIG_HOME: dir, XDG_STATE_HOME: dir }
    pty = new PtyProcess([process.execPath, LAUNCHER, '--node', `n1=${served.liveUrl}`], {
      columns: 120,
      rows: 40,
      env,
    })
    type = (keys) => pty.type(keys)
    until = (wanted) => pty.emulator.until(wanted)
    await until((screen) => /n1 .*● up/.test(screen))
  })
  afterAll(async () => {
    await pty?.dispose()
    await home?.[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  })

  it('shows what the daemon kept, to its first line', async () => {
    type('l')
    await until((screen) => screen.includes('no older lines') && screen.includes('listening  inferUrl='))
    expect(pty.emulator.screen()).toMatch(/─ logs of n1: info and above, \d+ lines, following/)
  })

  it('marks what is looked for among its neighbours, and unfolds it', async () => {
    type('/listen')
    await until((screen) => /\/listen.* 1 of \d+ lines; enter keeps it/.test(screen))
    type('\r')
    await until((screen) => /^▌.*INFO {2}listening/m.test(screen))
    expect(pty.emulator.screen()).toContain('is served by generation 1')
    type('o')
    await until((screen) => /^ +inferUrl {2}http:\/\/127\.0\.0\.1:\d+$/m.test(screen.replace(/ +$/gm, '')))
    type('o')
  })

  it('finds the lines of both starts with a filter that the daemon answers, after it was killed and started again', async () => {
    process.kill(-served.pid, 'SIGKILL')
    home.configure({
      'control.listen': control,
      'logs.files': [{ path: join(home.dir, '*.log'), source: 'app' }],
    })
    served = await home.serve()
    type('G')
    await until((screen) => screen.includes('● 1 up') && screen.includes('following'))
    type('&field:event=listening\r')
    await until(
      (screen) => /filter "field:event=listening"/.test(screen) && screen.split(' listening  inferUrl=').length === 3,
    )
    expect(pty.emulator.screen()).not.toContain('is served by generation')
    type(ESC)
    await until((screen) => !screen.includes('match "listen"'))
    type(ESC)
    await until((screen) => screen.includes('is served by generation'))
  })

  it('goes to an error in a file that the daemon follows, to its node, and back to the line', async () => {
    const lines = [
      '2026-11-26T10:00:00Z INFO warming up',
      '{"level":"error","msg":"pump stalled","camera":7,"note":"\\u001b]0;owned\\u0007"}',
    ]
    writeFileSync(join(home.dir, 'app.log'), `${lines.join('\n')}\n`)
    await until((screen) => screen.includes('app: pump stalled'))
    type('E')
    await until((screen) => /^▌.*ERROR app: pump stalled {2}camera=7 note=␛\]0;owned␇/m.test(screen))
    type('\r')
    await until((screen) => screen.includes('inference stages'))
    type(ESC)
    await until((screen) => /^▌.*ERROR app: pump stalled/m.test(screen))
    expect(pty.emulator.output).not.toContain('\u001b]0;owned')
  })

  it('saves the range that was chosen, as the daemon keeps it', async () => {
    type('4')
    await until((screen) => screen.includes('last 1h'))
    type('S')
    await until((screen) => /saved \d+ lines/.test(screen))
    const [file = ''] = readdirSync(join(dir, 'edgedeck', 'logs'))
    expect(file).toMatch(/^\d{8}-\d{6}-n1\.log$/)
    const text = readFileSync(join(dir, 'edgedeck', 'logs', file), 'utf8')
    expect(text.match(/ INFO {2}edge-daemon: listening event=listening inferUrl=/g)).toHaveLength(2)
  })

  it('gives the terminal back', async () => {
    type('q')
    expect(await pty.ended).toEqual({ end: 'exit 0', modesRestored: true })
  })
})
