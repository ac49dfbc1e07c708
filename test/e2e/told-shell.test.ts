import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DaemonHome, type Served } from '../support/edge-daemon.ts'
import { FleetAuthority, type IssuedIdentity } from '../support/fleet-authority.ts'
import { joinFiles } from '../support/joined-node.ts'
import { PtyProcess } from '../support/pty.ts'
import { Sshd } from '../support/sshd.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))
const LONG_MS = 120_000
const run = promisify(execFile)

/** Two operators and a viewer of a node that has joined, with a real sshd beside its daemon. */
describe('a shell on a node that is up', () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-told-shell-'))
  const home = new DaemonHome()
  const terminals: PtyProcess[] = []
  let authority: FleetAuthority
  let sshd: Sshd
  let served: Served

  /** Somebody's own folders, and what runs what ships as them. */
  function operator(issued: IssuedIdentity, name: string) {
    const state = join(dir, name)
    mkdirSync(join(state, 'edgedeck', 'identities'), { recursive: true })
    cpSync(issued.dir, join(state, 'edgedeck', 'identities', 'acme'), { recursive: true })
    const config = join(state, 'config.yaml')
    const node = { name: 'n1', site: 'plant', url: served.liveUrl, ssh: `${sshd.user}@${sshd.host}:${sshd.port}` }
    const ssh = { config: join(dir, 'ssh_config'), knownHosts: join(dir, 'known_hosts') }
    writeFileSync(config, JSON.stringify({ context: 'acme', contexts: { acme: { nodes: [node], ssh } } }))
    const env = {
      ...process.env,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      XDG_CONFIG_HOME: state,
      XDG_STATE_HOME: state,
    }
    const command = (args: readonly string[]) => [LAUNCHER, '--config', config, ...args]
    return {
      terminal(...args: string[]): PtyProcess {
        const pty = new PtyProcess([process.execPath, ...command(args)], { columns: 120, rows: 40, env })
        pty.answer()
        terminals.push(pty)
        return pty
      },
      plain: (...args: string[]) => run(process.execPath, command(args), { env }),
    }
  }
  const until = (pty: PtyProcess, wanted: (screen: string) => boolean) => pty.emulator.until(wanted, LONG_MS)

  beforeAll(async () => {
    authority = await FleetAuthority.create('acme')
    joinFiles(home.stateDir, await authority.node('plant', 'n1'))
    ;[served, sshd] = await Promise.all([home.serve(), Sshd.start({ config: ['PrintLastLog no'] })])
    const key = join(dir, 'id')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    sshd.authorize(readFileSync(`${key}.pub`, 'utf8').trim())
    writeFileSync(join(dir, 'known_hosts'), sshd.knownHosts)
    writeFileSync(join(dir, 'ssh_config'), `Host *\n  IdentityFile ${key}\n  IdentityAgent none\n`)
  })
  afterAll(async () => {
    for (const terminal of terminals) await terminal.dispose()
    await sshd.stop()
    await home[Symbol.asyncDispose]()
    authority[Symbol.dispose]()
    rmSync(dir, { recursive: true, force: true })
  })

  it('is seen by whoever else looks at the node for as long as it is open, and stands in its audit', async () => {
    const ben = operator(await authority.operator('ben'), 'ben')
    const mia = operator(await authority.operator('mia'), 'mia')
    const watching = ben.terminal()
    await until(watching, (screen) => /n1 .*● up/.test(screen))
    const shell = mia.terminal('shell', 'n1', '--why', 'line 4 is slow')
    await until(shell, (screen) => screen.includes('leave with exit'))
    expect(shell.emulator.screen()).not.toContain('do not see it')
    await until(watching, (screen) => /ALSO HERE/.test(screen) && /mia shell/.test(screen))
    shell.type('exit 5\r')
    expect(await shell.ended).toEqual({ end: 'exit 5', modesRestored: true })
    await until(watching, (screen) => !/mia shell(?!\.)/.test(screen))
    // Ben has written down nothing of it: this is what the node tells.
    const { stdout } = await ben.plain('audit', '--since', '1h', '--timeout', '60s')
    expect(stdout).toMatch(/mia \(admin\) +plant\/n1 +shell\.begin \S+@127\.0\.0\.1:\d+ +OK .* node +line 4 is slow/)
    expect(stdout).toMatch(/mia \(admin\) +plant\/n1 +shell\.end, exit 5, \d+ B out +OK .* node +line 4 is slow/)
  })

  it('is opened by no viewer, neither by the command nor in the console', async () => {
    const rights = { role: 'viewer', permissions: [], sites: '*' } as const
    const vic = operator(await authority.operator('vic', rights), 'vic')
    const pty = vic.terminal('shell', 'n1')
    expect(await pty.ended).toEqual({ end: 'exit 1', modesRestored: true })
    expect(pty.emulator.screen()).toContain('RIGHT_MISSING')
    const seeing = vic.terminal()
    await until(seeing, (screen) => screen.includes('n1'))
    seeing.type('s')
    await until(seeing, (screen) => screen.includes('Shell needs the role operator'))
    expect(seeing.emulator.isAlternate()).toBe(true)
  })
})
