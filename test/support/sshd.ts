import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { eventually } from './edge-daemon.ts'
import { freePort } from './free-port.ts'
import { descendants } from './process-tree.ts'
import { nobodyWithShell, pamThatAsks, viewOf } from './sshd-view.ts'

/** Where the server is installed; it must be started by its whole path. */
const SSHD = '/usr/sbin/sshd'
/** Folder that a server of root wants for its separated part. */
const PRIVSEP_DIR = '/run/sshd'

/** What is not as usual in a {@link Sshd}. */
export interface SshdOptions {
  /** Further lines of sshd_config; they win over ours. */
  readonly config?: readonly string[]
  /** Public keys, as lines, that may log in. */
  readonly authorized?: readonly string[]
  /** Types of host keys, in order. */
  readonly hostKeys?: readonly ('ed25519' | 'rsa' | 'ecdsa')[]
  /** Let `nobody` in where root runs the test, since root's sessions differ from those of others. */
  readonly isOrdinaryUser?: boolean
  /** Ask for this after a key, by keyboard-interactive and PAM; for tests that root runs. */
  readonly otp?: string
}

/** A real OpenSSH server on loopback for whoever runs the test, with keys and a folder of its own, which is the home of its sessions. */
export class Sshd {
  readonly dir = mkdtempSync(join(tmpdir(), 'edgedeck-sshd-'))
  /** The user that may log in. */
  readonly user: string
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #options: SshdOptions
  #pid: number | null = null

  private constructor(port: number, options: SshdOptions) {
    this.port = port
    this.#options = options
    this.user = this.#isNobody ? 'nobody' : userInfo().username
  }

  /** Start one; `await using` ends it. */
  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const server = new Sshd(await freePort(), options)
    for (const type of server.#types) server.#makeHostKey(type)
    server.authorize(...(options.authorized ?? []))
    await server.restart()
    return server
  }

  /** Process id of what listens; sessions are its children. */
  get pid(): number {
    if (this.#pid === null) throw new Error('this sshd does not run')
    return this.#pid
  }

  /** All that it wrote. */
  get log(): string {
    return readFileSync(join(this.dir, 'log'), 'utf8')
  }

  /** Lines of known_hosts about it. */
  get knownHosts(): string {
    return this.#types.map((type) => `[${this.host}]:${this.port} ${this.hostKey(type)}\n`).join('')
  }

  /** `ssh-ed25519 AAAA…` of a host key. */
  hostKey(type: 'ed25519' | 'rsa' | 'ecdsa' = 'ed25519'): string {
    return readFileSync(join(this.dir, `host_${type}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ')
      .trim()
  }

  /** Let keys in, given as lines of `.pub` files, and no others. */
  authorize(...lines: readonly string[]): void {
    writeFileSync(join(this.dir, 'authorized_keys'), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  }

  /** Take other host keys of the same types; {@link restart} shows them. */
  renewHostKeys(): void {
    for (const type of this.#types) {
      rmSync(join(this.dir, `host_${type}`))
      this.#makeHostKey(type)
    }
  }

  /** Start it, again when it runs. Sessions that are open stay. */
  async restart(): Promise<void> {
    if (this.#pid !== null) process.kill(this.#pid, 'SIGKILL')
    if (process.getuid?.() === 0) mkdirSync(PRIVSEP_DIR, { recursive: true })
    const file = join(this.dir, 'sshd_config')
    writeFileSync(file, `${this.#config().join('\n')}\n`)
    const log = join(this.dir, 'log')
    writeFileSync(log, '')
    const [program = '', ...args] = [...this.#lead(), SSHD, '-D', '-f', file, '-E', log]
    const child = spawn(program, args, { stdio: 'ignore', detached: true })
    child.unref()
    let fault = ''
    child.once('error', (error) => {
      fault = error.message
    })
    child.once('exit', (code) => {
      fault = `it ended with ${code}`
    })
    this.#pid = child.pid ?? null
    await eventually(() => {
      if (fault !== '') throw new Error(`sshd: ${fault}: ${this.log}`)
      return this.log.includes('Server listening on')
    })
  }

  /** Send a signal to the server and to all of its sessions, such as SIGSTOP. */
  signalAll(signal: NodeJS.Signals): void {
    for (const pid of [...descendants(this.pid), this.pid]) kill(pid, signal)
  }

  /** Kill its sessions as a crash would, and let it listen on. */
  killSessions(): void {
    for (const pid of descendants(this.pid)) kill(pid, 'SIGKILL')
  }

  /** End it and its sessions, and remove the folder. */
  async stop(): Promise<void> {
    if (this.#pid !== null) this.signalAll('SIGKILL')
    this.#pid = null
    rmSync(this.dir, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  get #isNobody(): boolean {
    return this.#options.isOrdinaryUser === true && process.getuid?.() === 0
  }

  /** What comes before the server in its command line: it ends with the test, and may have a view of the machine of its own. */
  #lead(): string[] {
    const mortal = ['setpriv', '--pdeathsig', 'KILL']
    const places = [
      ...(this.#isNobody ? [nobodyWithShell(this.dir)] : []),
      ...(this.#options.otp === undefined ? [] : [pamThatAsks(this.dir, this.#options.otp)]),
    ]
    return [...mortal, ...viewOf(places)]
  }

  get #types(): readonly ('ed25519' | 'rsa' | 'ecdsa')[] {
    return this.#options.hostKeys ?? ['ed25519']
  }

  #makeHostKey(type: string): void {
    const file = join(this.dir, `host_${type}`)
    const bits = type === 'rsa' ? ['-b', '2048'] : []
    execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', 'host', '-f', file])
    chmodSync(file, 0o600)
  }

  #config(): string[] {
    return [
      ...(this.#options.config ?? []),
      `Port ${this.port}`,
      `ListenAddress ${this.host}`,
      ...this.#types.map((type) => `HostKey ${join(this.dir, `host_${type}`)}`),
      `PidFile ${join(this.dir, 'pid')}`,
      `AuthorizedKeysFile ${join(this.dir, 'authorized_keys')}`,
      'StrictModes no',
      ...(this.#options.otp === undefined
        ? ['UsePAM no']
        : [
            'UsePAM yes',
            'KbdInteractiveAuthentication yes',
            'AuthenticationMethods publickey,keyboard-interactive:pam',
          ]),
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PrintMotd no',
      // Whatever the home of who runs the tests starts with a shell is slow, and none of the test's.
      `SetEnv HOME=${this.dir}`,
      'MaxSessions 100',
      'MaxStartups 200',
      'LogLevel VERBOSE',
    ]
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended meanwhile.
  }
}
