import { type ClientFrame, type DaemonFrame, decodeClientFrame, type FrameOf } from '../../protocol/frames.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import { LOG_LEVELS, type LogRecord } from '../../protocol/records.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** Rows of one frame, as the daemon cuts them. */
const ROWS_PER_FRAME = 200

interface Subscription {
  readonly request: FrameOf<ClientFrame, 'subscribe'>
  credits: number
  /** Rows not sent for want of credit. */
  missed: { count: number; fromMs: number; toMs: number } | null
  n: number
  /** Compiled at the first row. */
  wants?: (row: LogRecord) => boolean
}

/** One console's session with a simulated node: credits, gaps, probes, reads and commands as the daemon has them. */
export class SimulatedSession {
  readonly #node: SimulatedNode
  readonly #send: (text: string) => void
  readonly #intervalMs: number
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(node: SimulatedNode, options: { readonly intervalMs: number; readonly send: (text: string) => void }) {
    this.#node = node
    this.#intervalMs = options.intervalMs
    this.#send = options.send
  }

  /** Take a message of the console. Returns false when it is not of the protocol. */
  take(data: string, nowMs: number): boolean {
    const decoded = decodeClientFrame(data)
    if (!decoded.ok) return false
    const { frame } = decoded
    switch (frame.t) {
      case 'hello':
        this.#emit(this.#node.welcome(nowMs, this.#intervalMs))
        break
      case 'subscribe':
        this.#subscribe(frame, nowMs)
        break
      case 'credit': {
        const subscription = this.#subscriptions.get(frame.id)
        if (subscription) subscription.credits += frame.n
        break
      }
      case 'unsubscribe':
        this.#subscriptions.delete(frame.id)
        break
      case 'ping':
        this.#emit({ t: 'pong', n: frame.n, echo: frame.at, recvAt: nowMs, at: nowMs })
        break
      case 'read':
        this.#read(frame)
        break
      case 'tally':
        this.#tally(frame)
        break
      case 'command':
        this.#command(frame)
        break
      case 'pong':
        break
    }
    return true
  }

  /** Send what a tick brings. */
  tick(nowMs: number, logs: readonly LogRecord[], withStatus: boolean): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.request.topic === 'status' && withStatus) this.#sendStatus(subscription, nowMs)
      if (subscription.request.topic === 'logs') this.#sendLogs(subscription, logs)
    }
  }

  #subscribe(request: FrameOf<ClientFrame, 'subscribe'>, nowMs: number): void {
    const subscription: Subscription = { request, credits: request.credits, missed: null, n: 0 }
    this.#subscriptions.set(request.id, subscription)
    const backlog = request.backlog ?? 0
    if (request.topic === 'status') this.#sendStatus(subscription, nowMs)
    if (request.topic === 'logs' && backlog > 0) this.#sendLogs(subscription, this.#node.keptLogs().slice(-backlog))
    if (request.topic !== 'alerts' || backlog === 0) return
    const rows = this.#node.alertRows(nowMs)
    if (rows.length > 0 && spend(subscription)) this.#emit({ t: 'rows', id: request.id, topic: 'alerts', rows })
  }

  #sendStatus(subscription: Subscription, nowMs: number): void {
    subscription.n += 1
    this.#node.advance(nowMs)
    if (spend(subscription)) this.#emit(this.#node.status(nowMs, { id: subscription.request.id, n: subscription.n }))
  }

  #sendLogs(subscription: Subscription, logs: readonly LogRecord[]): void {
    const { id, level = 'debug', filter = {} } = subscription.request
    subscription.wants ??= matcherOf({ ...filter, level })
    const rows = logs.filter(subscription.wants)
    const { missed } = subscription
    if (missed !== null && spend(subscription)) {
      subscription.missed = null
      const { count, fromMs, toMs } = missed
      this.#emit({ t: 'gap', id, topic: 'logs', missed: count, reason: 'no_credit', fromMs, toMs })
    }
    const [first] = rows
    const last = rows.at(-1)
    if (first === undefined || last === undefined) return
    if (spend(subscription)) {
      this.#emit({ t: 'rows', id, topic: 'logs', rows: [...rows] })
      return
    }
    const before = subscription.missed
    subscription.missed = {
      count: (before?.count ?? 0) + rows.length,
      fromMs: before?.fromMs ?? first.timestamp,
      toMs: last.timestamp,
    }
  }

  #read(request: FrameOf<ClientFrame, 'read'>): void {
    const { id, topic, limit, newestFirst = false } = request
    const found = topic === 'logs' ? this.#kept(request) : []
    if (newestFirst) found.reverse()
    const rows = found.slice(0, limit)
    for (let at = 0; at < rows.length; at += ROWS_PER_FRAME) {
      this.#emit({ t: 'rows', id, topic: 'logs', rows: rows.slice(at, at + ROWS_PER_FRAME) })
    }
    this.#emit({ t: 'end', id, truncated: found.length > limit, lastSeq: rows.at(-1)?.seq ?? null })
  }

  #kept(request: Pick<FrameOf<ClientFrame, 'read'>, 'fromMs' | 'toMs' | 'filter' | 'afterSeq' | 'beforeSeq'>) {
    const { fromMs, toMs, filter, afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY } = request
    const wanted = matcherOf(filter ?? {})
    return this.#node.keptLogs().filter((row) => {
      const { timestamp, seq } = row
      return timestamp >= fromMs && timestamp <= toMs && seq > afterSeq && seq < beforeSeq && wanted(row)
    })
  }

  #tally({ id, stepMs, ...request }: FrameOf<ClientFrame, 'tally'>): void {
    const steps = new Map<number, number[]>()
    for (const { timestamp, level } of this.#kept(request)) {
      const startMs = request.fromMs + Math.floor((timestamp - request.fromMs) / stepMs) * stepMs
      const lines = steps.get(startMs) ?? LOG_LEVELS.map(() => 0)
      lines[LOG_LEVELS.indexOf(level)] = (lines[LOG_LEVELS.indexOf(level)] ?? 0) + 1
      steps.set(startMs, lines)
    }
    const counted = [...steps].map(([startMs, lines]) => ({ startMs, lines }))
    this.#emit({ t: 'tallied', id, stepMs, fromMs: request.fromMs, steps: counted })
  }

  #command(request: FrameOf<ClientFrame, 'command'>): void {
    const { id, verb, args } = request
    if (verb === 'fault.slow' && typeof args.ms === 'number') {
      this.#node.slow(args.ms)
      this.#emit({ t: 'done', id, result: { slowMs: args.ms } })
      return
    }
    const msg = `the simulator knows no ${verb}`
    this.#emit({ t: 'error', id, code: 'COMMAND_REFUSED', msg, next: ['use fault.slow {ms}'] })
  }

  #emit(frame: DaemonFrame): void {
    const text = JSON.stringify(frame)
    this.#node.countTelemetry(Buffer.byteLength(text))
    this.#send(text)
  }
}

function spend(subscription: Subscription): boolean {
  if (subscription.credits <= 0) return false
  subscription.credits -= 1
  return true
}

function matcherOf(filter: LogFilter): (row: LogRecord) => boolean {
  const compiled = compileLogFilter(filter)
  return (row) => compiled.ok && compiled.matcher.matches(row)
}
