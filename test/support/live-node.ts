import { connect, type Socket } from 'node:net'
import { type ClientOptions, WebSocket } from 'ws'
import type {
  KeptPicture,
  LiveRow,
  ReadRequest,
  ReadTopic,
  RowTopic,
  StatusBody,
} from '../../edge-daemon/live/contract.ts'
import { LiveServer, type LiveServerOptions } from '../../edge-daemon/live/live-server.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type DaemonFrame, decodeDaemonFrame, type FrameOf, LIVE_SUBPROTOCOL } from '../../protocol/frames.ts'
import { EMPTY_HISTOGRAM, Histogram } from '../../protocol/histogram.ts'
import { MemorySearch } from './memory-search.ts'

/** A live server over a node that exists only in memory: its rows are an array, its latency grows when told to. */
export class LiveNode {
  readonly kept = new Map<ReadTopic, LiveRow[]>([
    ['logs', []],
    ['alerts', []],
    ['results', []],
    ['status', []],
    ['ledger', []],
  ])
  readonly total = new Histogram()
  readonly events: { event: string; msg: string | undefined }[] = []
  readonly pictures = new Map<number, KeptPicture>()
  readonly commands: { verb: string; args: unknown }[] = []
  snapshots = 0
  /** Added to the node's wall clock. */
  wallShiftMs = 0
  /** Added to the node's monotonic clock. */
  monotonicShiftMs = 0
  readonly search = new MemorySearch(() => this.kept.get('logs') ?? [])
  readonly server: LiveServer
  url = ''
  #seq = 0

  constructor(options: Partial<LiveServerOptions> = {}) {
    this.server = new LiveServer({
      listen: { host: '127.0.0.1', port: 0 },
      node: { name: 'n1', site: 's1', version: '0.1.0', instance: 'i1', startedAt: 1 },
      intervalMs: 200,
      maxSessions: 8,
      snapshot: () => {
        this.snapshots += 1
        return statusBody(this.total)
      },
      read: (request) => this.read(request),
      search: this.search,
      picture: (seq) => {
        const picture = this.pictures.get(seq)
        if (picture !== undefined) return Promise.resolve(picture)
        return Promise.reject(
          new EdgeError('PICTURE_NOT_KEPT', { message: `none of ${seq}`, next: ['ask for another'] }),
        )
      },
      identity: null,
      localRights: { role: 'admin', permissions: ['data', 'shell'], sites: '*' },
      command: (_peer, { verb, args }) => {
        this.commands.push({ verb, args: { ...args } })
        if (verb === 'fault.slow') return Promise.resolve({ slowMs: args.ms ?? null })
        return Promise.reject(new EdgeError('COMMAND_REFUSED', { message: `no ${verb}`, next: ['ask nicely'] }))
      },
      log: {
        info: (event, msg) => this.events.push({ event, msg }),
        warn: (event, msg) => this.events.push({ event, msg }),
      },
      clock: {
        wallMs: () => Date.now() + this.wallShiftMs,
        monotonicMs: () => performance.now() + this.monotonicShiftMs,
      },
      ...options,
    })
  }

  async start(): Promise<this> {
    this.url = (await this.server.start()).url
    return this
  }

  /** Keep a row and publish it, as the daemon does after a commit. */
  publish(topic: RowTopic, body: object): LiveRow {
    const row = this.keep(topic, body)
    this.server.publish(topic, row)
    return row
  }

  keep(topic: ReadTopic, body: object): LiveRow {
    this.#seq += 1
    const timestamp = 1_000_000 + this.#seq
    const row = {
      seq: this.#seq,
      timestamp,
      line: JSON.stringify({ seq: this.#seq, node_id: 'n1', timestamp, ...body }),
    }
    this.kept.get(topic)?.push(row)
    return row
  }

  read(request: ReadRequest): Promise<readonly LiveRow[]> {
    const { fromMs = 0, toMs = Number.MAX_SAFE_INTEGER, afterSeq = 0, throughSeq = Number.MAX_SAFE_INTEGER } = request
    const rows = (this.kept.get(request.topic) ?? []).filter(
      ({ seq, timestamp }) => timestamp >= fromMs && timestamp <= toMs && seq > afterSeq && seq <= throughSeq,
    )
    if (request.newestFirst) rows.reverse()
    return Promise.resolve(rows.slice(0, request.limit))
  }
}

/** A log line's body. */
export function logBody(msg: string, level = 'info'): object {
  return { level, source: 'edge-daemon', msg }
}

/** A result's body. */
export function resultBody(reason?: string): object {
  const rest = reason === undefined ? {} : { reason }
  return { code: 200, pred: 7, confidence: 0.9, model: 'digits@1.0.0', total_ms: 5, bytes: 90_000, ...rest }
}

/** A status of a node that does nothing, with the given cumulative latency. */
export function statusBody(total: Histogram = new Histogram()): StatusBody {
  const none = { ...EMPTY_HISTOGRAM, buckets: [] }
  const { buckets, ...rest } = total.snapshot()
  return {
    conditions: [],
    host: {
      source: 'builtin',
      cpuPct: 12.5,
      cores: 2,
      load1: 0.5,
      memUsedBytes: 1e9,
      memTotalBytes: 4e9,
      diskUsedBytes: 1e9,
      diskTotalBytes: 2e9,
      netRxBytesPerSec: 10,
      netTxBytesPerSec: 20,
      tempC: null,
    },
    inference: {
      model: { name: 'digits', version: '1.0.0', variant: 'fp32' },
      childPid: 42,
      generation: 1,
      queued: 0,
      inFlight: 0,
      counters: {
        requests: 10,
        ok: 7,
        abnormal: 1,
        undecodable: 1,
        failed: 0,
        malformed: 1,
        notStored: 0,
        overRate: 0,
        childRestarts: 0,
        slow: 0,
        rawBytes: 123,
      },
      windowMs: 0,
      latency: {
        decode: none,
        queue: none,
        run: none,
        commit: none,
        total: { ...rest, buckets: buckets.map(([index, count]) => [index, count]) },
      },
    },
    uplink: { targets: [], sentBytes: { telemetry: 5 }, backlogRecords: 0 },
    store: {
      state: 'ok',
      epoch: 'e1',
      firstSeq: 1,
      lastSeq: 10,
      records: 10,
      bytes: 1000,
      maxBytes: 1e6,
      segments: 1,
      commits: 5,
      evictedRecords: 0,
      corruptBlocks: 0,
      error: null,
    },
    alerts: [],
    faults: {},
  }
}

/** A console's end of a live session: keeps every frame, and fails on one that is not of the protocol. */
export class TestConsole {
  readonly socket: WebSocket
  readonly frames: DaemonFrame[] = []
  closed: { code: number; reason: string } | null = null
  /** Answers the daemon's probes with this clock; null leaves them unanswered. */
  wallMs: (() => number) | null = () => Date.now()
  invalid: string | null = null
  #wake: (() => void)[] = []

  /** @param options of the connection, such as a certificate */
  constructor(url: string, protocol = LIVE_SUBPROTOCOL, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocol, { perMessageDeflate: false, ...options })
    this.socket.on('message', (data) => {
      const decoded = decodeDaemonFrame(data.toString())
      if (!decoded.ok) this.invalid = `${decoded.msg}: ${data.toString().slice(0, 300)}`
      else this.#take(decoded.frame)
      this.#notify()
    })
    this.socket.on('error', () => this.#notify())
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#notify()
    })
  }

  /** Connect and say hello; resolves with the welcome in hand. */
  static async open(url: string, options: ClientOptions = {}): Promise<TestConsole> {
    const console = new TestConsole(url, LIVE_SUBPROTOCOL, options)
    console.socket.on('open', () => console.hello())
    await console.until(() => console.of('welcome').length > 0)
    return console
  }

  hello(v = 1): void {
    this.send({ t: 'hello', v, at: Date.now(), client: { name: 'test', version: '0' } })
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame))
  }

  of<T extends DaemonFrame['t']>(t: T): FrameOf<DaemonFrame, T>[] {
    return this.frames.filter((frame): frame is FrameOf<DaemonFrame, T> => frame.t === t)
  }

  /** Rows received under an id. */
  rows(id: string): { seq: number; timestamp: number }[] {
    return this.of('rows').flatMap((frame): { seq: number; timestamp: number }[] => (frame.id === id ? frame.rows : []))
  }

  /** Rows that were told missing under an id. */
  missed(id: string): number {
    return this.of('gap').reduce((sum, gap) => sum + (gap.id === id ? gap.missed : 0), 0)
  }

  /** Wait until something is so; looks again at every frame. */
  async until(so: () => boolean, timeoutMs = 60_000): Promise<void> {
    const endMs = performance.now() + timeoutMs
    while (!so()) {
      if (this.invalid !== null) throw new Error(`a frame is not of the protocol: ${this.invalid}`)
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) throw new Error(`not so after ${timeoutMs} ms; last frames ${this.#lastFrames()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 100))
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  close(): void {
    this.socket.terminate()
  }

  #lastFrames(): string {
    return JSON.stringify(this.frames.slice(-3)).slice(0, 1000)
  }

  #take(frame: DaemonFrame): void {
    this.frames.push(frame)
    if (frame.t !== 'ping' || this.wallMs === null) return
    const now = this.wallMs()
    this.send({ t: 'pong', n: frame.n, echo: frame.at, recvAt: now, at: now })
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Send raw bytes as an HTTP request and resolve with all that came back until the node closed. */
export function rawExchange(url: string, request: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = rawConnect(url)
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
    socket.write(request)
  })
}

/** A bare TCP connection to a live server. */
export function rawConnect(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname)
}

/** Bytes of a WebSocket upgrade request. */
export function upgradeRequest(headers: Record<string, string> = {}, path = '/live'): string {
  const all: Record<string, string> = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': LIVE_SUBPROTOCOL,
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
