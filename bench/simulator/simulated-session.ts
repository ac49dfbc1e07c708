import { type ClientFrame, type DaemonFrame, decodeClientFrame, type FrameOf } from '../../protocol/frames.ts'
import { LOG_LEVELS, type LogRecord } from '../../protocol/records.ts'
import type { SimulatedNode } from './simulated-node.ts'

interface Subscription {
  readonly request: FrameOf<ClientFrame, 'subscribe'>
  credits: number
  /** Rows not sent for want of credit. */
  missed: { count: number; fromMs: number; toMs: number } | null
  n: number
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
    const { id, level = 'debug', contains = '' } = subscription.request
    const minRank = LOG_LEVELS.indexOf(level)
    const needle = contains.toLowerCase()
    const rows = logs.filter(
      (row) => LOG_LEVELS.indexOf(row.level) >= minRank && row.msg.toLowerCase().includes(needle),
    )
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
    const { id, topic, fromMs, toMs, limit } = request
    const found = this.#node.keptLogs().filter((row) => row.timestamp >= fromMs && row.timestamp <= toMs)
    const rows = topic === 'logs' ? found.slice(0, limit) : []
    if (rows.length > 0) this.#emit({ t: 'rows', id, topic: 'logs', rows })
    this.#emit({ t: 'end', id, truncated: topic === 'logs' && found.length > limit })
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
