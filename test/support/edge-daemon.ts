import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The daemon from source. */
export const SOURCE = path.join(ROOT, 'edge-daemon/main.ts')
/** The daemon as it ships; `npm test` builds its bundle before. */
export const LAUNCHER = path.join(ROOT, 'bin/edge-daemon.js')
const POLL_MS = 20

/** How a process ended. */
export interface DaemonEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Where a daemon serves. */
export interface Served {
  readonly inferUrl: string
  readonly liveUrl: string
  readonly pid: number
  readonly epoch: string
}

/** The answer to a picture. */
export interface InferAnswer {
  readonly code: number
  readonly pred?: number
  readonly timestamp: number
  readonly epoch: string | null
  readonly seq: number | null
  readonly stored: boolean
}

/** A folder with a state directory, the model and free ports, for daemons that are started one after the other. */
export class DaemonHome {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'edgedeck-daemon-'))
  readonly stateDir = path.join(this.dir, 'state')
  readonly configFile = path.join(this.dir, 'edge-daemon.yaml')
  readonly #started: EdgeDaemonProcess[] = []

  constructor() {
    mkdirSync(this.stateDir)
    this.configure({})
  }

  /** Write the configuration: that of a test node, and `changes` by dotted path over it. */
  configure(changes: Readonly<Record<string, unknown>>): void {
    const settings = {
      'node.name': 'n1',
      'node.site': 'plant',
      'inference.listen': '127.0.0.1:0',
      'control.listen': '127.0.0.1:0',
      'models.dir': path.join(ROOT, 'models'),
      // Measured at a first start otherwise, which few tests are about.
      'models.variant': 'fp32',
      'state.dir': this.stateDir,
      'live.interval': '200ms',
      // What else runs on this machine is nothing to tell of.
      'alerts.cpuPct': 100,
      'alerts.latency': '60s',
      ...changes,
    }
    const tree: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(settings)) {
      const steps = key.split('.')
      let here = tree
      for (const step of steps.slice(0, -1)) {
        here[step] ??= {}
        here = here[step] as Record<string, unknown>
      }
      here[steps.at(-1) as string] = value
    }
    writeFileSync(this.configFile, `${JSON.stringify(tree, null, 2)}\n`)
  }

  /** Start a daemon here; `under` is a command line that is to start it, `program` what is run: what ships, if not told. */
  start(
    options: { args?: readonly string[]; under?: readonly string[]; env?: NodeJS.ProcessEnv; program?: string } = {},
  ): EdgeDaemonProcess {
    const { args = [], under = [], env = {}, program = LAUNCHER } = options
    const command = [...under, process.execPath, program, '--config', this.configFile, ...args]
    const daemon = new EdgeDaemonProcess(command, env)
    this.#started.push(daemon)
    return daemon
  }

  /** Start a daemon and wait until it serves. */
  async serve(options: Parameters<DaemonHome['start']>[0] = {}): Promise<{ daemon: EdgeDaemonProcess } & Served> {
    const daemon = this.start(options)
    return { daemon, ...(await daemon.serving()) }
  }

  /** End what runs and remove the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#started) {
      daemon.kill()
      await daemon.ended
    }
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** A daemon as a process in a group of its own, with what it said. */
export class EdgeDaemonProcess {
  readonly child: ChildProcess
  /** Settles when it has ended and all that it wrote is read. */
  readonly ended: Promise<DaemonEnd>
  readonly lines: string[] = []
  stderr = ''

  constructor(command: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const [program = '', ...args] = command
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('EDGE_'))
    this.child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), ...env },
    })
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('a daemon was started without pipes')
    createInterface({ input: stdout }).on('line', (line) => this.lines.push(line))
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code, signal) => resolve({ code, signal }))
    })
  }

  /** Wait until it says where it serves. Fails when it ends. */
  async serving(timeoutMs = 90_000): Promise<Served> {
    let served: Served | undefined
    let isOver = false
    void this.ended.then(() => {
      isOver = true
    })
    await eventually(
      () => {
        if (isOver) throw new Error(`the daemon ended:\n${this.stderr}\n${this.lines.join('\n')}`)
        const line = this.lines.find((text) => text.includes('"listening"'))
        served = line === undefined ? undefined : (JSON.parse(line) as { fields: Served }).fields
        return served !== undefined
      },
      { timeoutMs, what: 'the daemon serves' },
    )
    return served as Served
  }

  /** SIGKILL to it and all that it started, as a power cut. */
  kill(): void {
    this.signal('SIGKILL')
  }

  /** A signal to its whole group. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-(this.child.pid as number), signal)
    } catch {
      // It is gone.
    }
  }

  /** SIGTERM to the process alone, and wait for its end. */
  stop(): Promise<DaemonEnd> {
    this.child.kill('SIGTERM')
    return this.ended
  }
}

/** Run a daemon to its end. */
export async function runDaemon(
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<DaemonEnd & { stdout: string; stderr: string }> {
  const daemon = new EdgeDaemonProcess(command, env)
  const end = await daemon.ended
  return { ...end, stdout: daemon.lines.map((line) => `${line}\n`).join(''), stderr: daemon.stderr }
}

/** Post a picture; resolves with the answer whatever its code. */
export async function postPicture(inferUrl: string, picture: Uint8Array): Promise<InferAnswer> {
  const response = await fetch(`${inferUrl}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: Buffer.from(picture),
  })
  return (await response.json()) as InferAnswer
}

/** Wait until something is so. */
export async function eventually(
  so: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, what = 'it' }: { timeoutMs?: number; what?: string } = {},
): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await so())) {
    if (performance.now() > endMs) throw new Error(`not so after ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
