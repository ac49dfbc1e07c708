import { randomBytes } from 'node:crypto'
import { cpSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DaemonHome, type EdgeDaemonProcess, eventually, type Served } from '../support/edge-daemon.ts'
import { type TcpLink, tcpLink } from '../support/tcp-link.ts'
import type { NodeCopy } from './evidence.ts'
import { readNode, readStatus } from './node-reader.ts'

const PRELOAD = pathToFileURL(fileURLToPath(new URL('./fault-preload.ts', import.meta.url))).href
const RESTART_MS = 200
/** Starts that may fail in a row before a node is given up. */
const MAX_FAILED_STARTS = 3

/** How a node of a run differs from the usual one. */
export interface NodeOptions {
  readonly name: string
  /** Where its blocks go, each over a link of its own; several are regions. */
  readonly hubs: readonly { readonly port: number }[]
  /** Its one hub is spoken to over HTTP. */
  readonly isHttp?: boolean
  /** Names of the regions, where its hubs are configured as such. */
  readonly regions?: readonly string[]
  /** Settings by dotted path, over those of a torture node. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Gives the command line the daemon is started under; asked once, with its state directory. */
  readonly under?: (stateDir: string) => Promise<readonly string[]>
  /** A state directory to begin with. */
  readonly copyOf?: string
  /** Its links are cut at first. */
  readonly isCut?: boolean
}

/** What the next start of the daemon is to do: die at a call of `node:fs`, or get these variables. */
export interface NextStart {
  /** `CALL:WHEN:COUNT`, see fault-preload.ts. */
  readonly crash?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Seals every store of a run, so that a copied disk opens with it too. */
const KEY = randomBytes(32).toString('base64')

/**
 * A daemon as a service manager runs it: started again whenever it ends, however it ends, until {@link stop}. A start
 * that fails by itself is a finding: nothing a run does to a node may keep it from starting.
 */
export class TortureNode {
  readonly name: string
  readonly home = new DaemonHome()
  readonly links: TcpLink[] = []
  /** Starts that ended without a signal and without being asked to. */
  readonly failedStarts: string[] = []
  /** Times it was killed, or died of a planted crash. */
  deaths = 0
  readonly #options: NodeOptions
  readonly #clockFile: string
  readonly #keyFile: string
  #daemon: EdgeDaemonProcess | null = null
  #served: Served | null = null
  #next: NextStart = {}
  #isWanted = false
  #under: readonly string[] = []
  #disks = 1
  #running: Promise<void> | null = null

  constructor(options: NodeOptions) {
    this.#options = options
    this.name = options.name
    this.#clockFile = path.join(this.home.dir, 'clock-shift-ms')
    this.#keyFile = path.join(this.home.dir, 'keys')
    writeFileSync(this.#clockFile, '0')
    writeFileSync(this.#keyFile, `1:${KEY}\n`, { mode: 0o600 })
  }

  /** Where it serves; null while it does not. */
  get served(): Served | null {
    return this.#served
  }

  /** Whether it is meant to run. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  get daemon(): EdgeDaemonProcess | null {
    return this.#daemon
  }

  /** Name of the disk it has now; what was acknowledged on an earlier one can no longer be read from it. */
  get disk(): string {
    return `${this.home.dir}#${this.#disks}`
  }

  /** Its state directory was exchanged. */
  newDisk(): void {
    this.#disks += 1
  }

  /** Open the links, start the daemon and keep it running; resolves when it serves. */
  async start(): Promise<void> {
    for (const hub of this.#options.hubs.slice(this.links.length)) this.links.push(await tcpLink(hub.port))
    const { under, copyOf, isCut = false } = this.#options
    if (isCut) for (const link of this.links) link.cut()
    if (copyOf !== undefined) cpSync(copyOf, this.home.stateDir, { recursive: true })
    if (under !== undefined) this.#under = await under(this.home.stateDir)
    this.configure({})
    await this.resume()
  }

  /** Write the configuration anew; in force from the next start on. */
  configure(changes: Readonly<Record<string, unknown>>): void {
    const servers = this.links.map(({ port }) => `nats://127.0.0.1:${port}`)
    const { regions, isHttp = false } = this.#options
    const http = { 'upstream.http.url': `http://127.0.0.1:${this.links[0]?.port}/blocks` }
    this.home.configure({
      'node.name': this.name,
      'store.keyFile': this.#keyFile,
      ...(regions === undefined
        ? isHttp
          ? http
          : { 'upstream.nats.servers': servers }
        : { 'upstream.regions': regions.map((name, index) => ({ name, servers: [servers[index]] })) }),
      'upstream.ackTimeout': '4s',
      // What is abnormal is decided by the code alone, and nothing is over the rate.
      'filter.minConfidence': 0,
      'filter.abnormalPerSec': 100_000,
      'filter.aggregateCount': 25,
      'filter.aggregateEvery': '1s',
      ...this.#options.settings,
      ...changes,
    })
  }

  /** What the next start is to do besides starting. */
  prepare(next: NextStart): void {
    this.#next = next
  }

  /** Wait until it serves. */
  async serving(timeoutMs = 60_000): Promise<Served> {
    await eventually(
      () => {
        if (this.failedStarts.length >= MAX_FAILED_STARTS) throw new Error(`${this.name}: ${this.failedStarts.at(-1)}`)
        return this.#served !== null
      },
      { timeoutMs, what: `${this.name} serves` },
    )
    return this.#served as Served
  }

  /** SIGKILL to the daemon and all its processes; it is started again by itself. Resolves when it is gone. */
  async kill(): Promise<void> {
    const daemon = this.#daemon
    this.#served = null
    daemon?.kill()
    await daemon?.ended
  }

  /** End the daemon for good, in order or by SIGKILL. */
  async stop(how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#isWanted = false
    const daemon = this.#daemon
    if (daemon !== null) {
      if (how === 'SIGTERM') await daemon.stop()
      else daemon.kill()
      await daemon.ended
    }
    await this.#running
  }

  /** Start again after {@link stop}. */
  async resume(): Promise<void> {
    this.#isWanted = true
    this.#running = this.#run()
    await this.serving()
  }

  /** Move the node's wall clock, in ms against the real one; its monotonic clock goes on. */
  shiftClock(shiftMs: number): void {
    writeFileSync(this.#clockFile, String(shiftMs))
  }

  async read(): Promise<NodeCopy> {
    const { liveUrl } = await this.serving()
    return readNode(liveUrl, { home: this.disk, node: this.name })
  }

  async status(): Promise<Awaited<ReturnType<typeof readStatus>>> {
    const { liveUrl } = await this.serving()
    return readStatus(liveUrl)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
    for (const link of this.links) await link[Symbol.asyncDispose]()
    await this.home[Symbol.asyncDispose]()
  }

  async #run(): Promise<void> {
    while (this.#isWanted && this.failedStarts.length < MAX_FAILED_STARTS) {
      const daemon = this.#launch()
      this.#daemon = daemon
      const serving = daemon.serving(120_000).then(
        (served) => {
          if (this.#daemon === daemon && daemon.child.exitCode === null) this.#served = served
        },
        () => undefined,
      )
      const { code, signal } = await daemon.ended
      // The model's process outlives a daemon that killed itself by a moment; the next one must not wait for it.
      daemon.kill()
      await serving
      this.#served = null
      this.#daemon = null
      if (!this.#isWanted) return
      if (signal === null)
        this.failedStarts.push(`it ended with ${code}:\n${daemon.stderr}${daemon.lines.slice(-3).join('\n')}`)
      else this.deaths += 1
      await new Promise((resolve) => setTimeout(resolve, RESTART_MS))
    }
  }

  #launch(): EdgeDaemonProcess {
    const { crash, env = {} } = this.#next
    this.#next = {}
    return this.home.start({
      under: this.#under,
      env: {
        NODE_OPTIONS: `--import=${PRELOAD}`,
        TORTURE_CLOCK: this.#clockFile,
        ...(crash === undefined ? {} : { TORTURE_CRASH: crash }),
        ...env,
      },
    })
  }
}
