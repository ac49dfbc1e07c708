import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually } from './edge-daemon.ts'

const JOURNALD = '/lib/systemd/systemd-journald'
const SETTINGS = '[Journal]\nStorage=volatile\nReadKMsg=no\nRateLimitIntervalSec=0\n'
/** Folders of its own in place of those of the machine, then journald in place of the shell. */
const START = `set -e
mount --bind "$1/run" /run
mount --bind "$1/log" /var/log
mount --bind "$1/machine-id" /etc/machine-id
exec ${JOURNALD}
`

/** An entry of the journal as `journalctl -o json` writes it. */
export type RawEntry = Readonly<Record<string, unknown>> & { readonly __CURSOR: string }

/**
 * The journald of a machine beside this one: the real program, in a view of the file system where `/run` and `/var/log` are
 * empty folders. There is no systemd in it, so that no entry has `_SYSTEMD_UNIT`. Needs root and the package systemd.
 */
export class Journald implements AsyncDisposable {
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'edgedeck-journald-'))
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #stderr = ''

  private constructor() {
    const settings = path.join(this.#dir, 'run/systemd/journald.conf.d')
    mkdirSync(settings, { recursive: true })
    mkdirSync(path.join(this.#dir, 'log'))
    writeFileSync(path.join(settings, 'test.conf'), SETTINGS)
    writeFileSync(path.join(this.#dir, 'machine-id'), `${'0e'.repeat(16)}\n`)
    this.#child = spawn('unshare', ['--mount', 'sh', '-c', START, 'sh', this.#dir], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, SYSTEMD_LOG_TARGET: 'console' },
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve))
  }

  /** Start it and wait until it takes entries. @throws Error that says what it said instead */
  static async start(): Promise<Journald> {
    if (process.getuid?.() !== 0) throw new Error('a journald needs root: run the tests as root')
    const journald = new Journald()
    const sockets = ['socket', 'stdout', 'dev-log'].map((name) => path.join(journald.#dir, 'run/systemd/journal', name))
    await eventually(
      () => {
        if (journald.#child.exitCode !== null) throw new Error(`journald ended: ${journald.#stderr}`)
        return sockets.every((socket) => existsSync(socket))
      },
      { what: 'journald takes entries' },
    )
    return journald
  }

  /** The beginning of a command line that runs what follows where this journald is the machine's. */
  get within(): string[] {
    return ['nsenter', '--mount', `--target=${this.#child.pid}`, '--']
  }

  /** Write lines as a service does on its standard output; `<3>` in front of one is its priority. */
  print(name: string, lines: readonly string[]): void {
    this.#run(['systemd-cat', `--identifier=${name}`, 'cat'], lines.map((line) => `${line}\n`).join(''))
  }

  /** Write one entry by syslog's socket. */
  syslog(name: string, priority: string, text: string | Buffer): void {
    this.#run(['logger', '--socket', '/run/systemd/journal/dev-log', '--priority', priority, '--tag', name], text)
  }

  /** Write one entry by the journal's own protocol. */
  send(fields: Readonly<Record<string, string>>): void {
    const lines = Object.entries(fields).map(([name, value]) => `${name}=${value}\n`)
    this.#run(['logger', '--journald'], lines.join(''))
  }

  /** All entries so far, the oldest first. */
  entries(): RawEntry[] {
    const lines = this.#run(['journalctl', '--output=json', '--all', '--quiet']).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as RawEntry)
  }

  /** End it and remove what it wrote. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10 })
  }

  #run(command: readonly string[], input: string | Buffer = ''): string {
    const [program = '', ...args] = [...this.within, ...command]
    return execFileSync(program, args, { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  }
}
