import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { EdgeError } from '../../protocol/errors.ts'
import { programFile } from './places.ts'
import { signalGroup } from './process-group.ts'

const START_MS = 30_000
const STOP_MS = 5000
const STDERR_LINES = 10

/** Where a daemon serves, as it says itself. */
export interface Listening {
  /** Where pictures are posted, path and all. */
  readonly inferUrl: string
  readonly liveUrl: string
}

/** What {@link DaemonProcess} needs. */
export interface DaemonProcessOptions {
  /** Configuration file that is written before each start. */
  readonly configFile: string
  /** Folder for what libraries leave in the temporary folder of a process. */
  readonly tempDir: string
  /** Its content, given the addresses to listen on: `127.0.0.1:0` at the first start, the same as before afterwards. */
  readonly config: (listen: { readonly inference: string; readonly control: string }) => object
  readonly onSpawn: (pid: number) => void
  /** The process is gone, whoever ended it. `cause` is for a person. */
  readonly onExit: (pid: number, cause: string) => void
}

/** One edge daemon as a process in a group of its own. It is started again on the same addresses. */
export class DaemonProcess {
  readonly #options: DaemonProcessOptions
  #child: ChildProcess | null = null
  #gone: Promise<unknown> = Promise.resolve()
  #listening: Listening | null = null

  constructor(options: DaemonProcessOptions) {
    this.#options = options
  }

  /** Process id; null while it does not run. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Where it serves, or served last; null before it ever did. */
  get listening(): Listening | null {
    return this.#listening
  }

  /**
   * Start the daemon; resolves when it serves. Does nothing when it runs.
   * @throws EdgeError `NODE_UNREACHABLE` when it ends or says nothing for 30 s.
   */
  async start(): Promise<void> {
    if (this.#child !== null) return
    const { configFile, tempDir, config, onSpawn, onExit } = this.#options
    writeFileSync(configFile, `${JSON.stringify(config(this.#addresses()), null, 2)}\n`)
    const child = spawn(process.execPath, [programFile('daemon'), '--config', configFile], {
      // A group of its own: the terminal's Ctrl-C is the demo's alone, and a kill takes the model process along.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      // onnxruntime reports usage by default and keeps files for it in the user's cache; a demo leaves nothing behind.
      env: { ...environment(), TMPDIR: tempDir, ORT_DISABLE_TELEMETRY: '1' },
    })
    this.#child = child
    const stderr: string[] = []
    createInterface({ input: child.stderr }).on('line', (line) => {
      stderr.push(line)
      if (stderr.length > STDERR_LINES) stderr.shift()
    })
    const { promise: serving, resolve, reject } = Promise.withResolvers<Listening>()
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = readListening(line)
      if (told !== null) resolve(told)
    })
    const fail = (what: string) => reject(notServing(configFile, what, stderr))
    this.#gone = once(child, 'close').catch(() => undefined)
    child.on('error', (error) => fail(error.message))
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#child = null
      if (child.pid === undefined) return
      signalGroup(child.pid, 'SIGKILL')
      onExit(child.pid, signal === null ? `exit code ${code}` : signal)
    })
    child.on('close', () => fail('it ended'))
    if (child.pid !== undefined) onSpawn(child.pid)
    const timer = setTimeout(() => fail(`it says nothing for ${START_MS / 1000} s`), START_MS)
    try {
      this.#listening = await serving
    } finally {
      clearTimeout(timer)
    }
  }

  /** SIGKILL, as a power cut would; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.pid !== null) signalGroup(this.pid, 'SIGKILL')
    await this.#gone
  }

  /** SIGTERM, and SIGKILL after 5 s; resolves when it is gone. */
  async stop(): Promise<void> {
    const pid = this.pid
    if (pid === null) return
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_MS)
    await this.#gone
    clearTimeout(timer)
  }

  #addresses() {
    const hostOf = (url: string | undefined): string => (url === undefined ? '127.0.0.1:0' : new URL(url).host)
    return { inference: hostOf(this.#listening?.inferUrl), control: hostOf(this.#listening?.liveUrl) }
  }
}

/** The addresses in a log line of the daemon, if it is the one that says where it serves. */
export function readListening(line: string): Listening | null {
  if (!line.includes('listening')) return null
  let entry: { msg?: unknown; fields?: Record<string, unknown> }
  try {
    entry = JSON.parse(line)
  } catch {
    return null
  }
  const { inferUrl, liveUrl } = { ...entry, ...entry.fields } as Record<string, unknown>
  if (entry.msg !== 'listening' || typeof inferUrl !== 'string' || typeof liveUrl !== 'string') return null
  return { inferUrl: new URL('/infer', inferUrl).href, liveUrl }
}

/** This process's environment without settings of a daemon, which would win over the configuration file. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('EDGE_')))
}

function notServing(configFile: string, what: string, stderr: readonly string[]): EdgeError {
  return new EdgeError('NODE_UNREACHABLE', {
    message: [`the daemon of ${configFile} does not serve: ${what}`, ...stderr].join('\n'),
    next: [`run it by hand: npx edge-daemon --config ${configFile}`],
  })
}
