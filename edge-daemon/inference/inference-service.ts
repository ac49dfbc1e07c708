import { EdgeError } from '../../protocol/errors.ts'
import type { ServedModel } from '../models/models.ts'
import { Backoff } from './backoff.ts'
import { Lane } from './lane.ts'
import type { ChildAnswer } from './messages.ts'
import { labelOf, type Outcome, refusal } from './outcome.ts'
import { type QueuedRequest, RequestQueue, settleOnce } from './request-queue.ts'
import type { InferenceServiceOptions, ServiceEvent, ServiceStatus, SwapOptions } from './service-contract.ts'
import { defaultChildEntry, Session } from './session.ts'
import { mayLift } from './thread-priority.ts'

export type { InferenceServiceOptions, ServiceEvent, ServiceStatus } from './service-contract.ts'

const READY_TIMEOUT_MS = 30_000
const RESTART_FIRST_MS = 100
const RESTART_MAX_MS = 5000
const RESTART_RESET_MS = 60_000
const SWEEP_EVERY_MS = 100
const END_GRACE_MS = 2000
/** Bytes sent to a child and not yet answered; beyond, requests wait here where their memory is counted. */
const WINDOW_BYTES = 16 * 1024 * 1024

/**
 * Serves one model through child sessions by generation: restarts a child that died, kills one that hangs, and swaps to
 * another model without dropping a request. A child is given two batches at most, so that little is lost with it.
 */
export class InferenceService {
  readonly #options: InferenceServiceOptions
  readonly #backoff: Backoff
  readonly #queue = new RequestQueue()
  #lane: Lane | null = null
  /** What served before, warm, in case it is wanted back at once. */
  #spare: Lane | null = null
  #model: ServedModel | null = null
  #generation = 0
  #nextId = 1
  #slowMs: number
  #state: 'idle' | 'serving' | 'stopping' = 'idle'
  #isPumpDue = false
  #sweeper: NodeJS.Timeout | null = null
  #restartTimer: NodeJS.Timeout | null = null
  /** Ends a restart that is under way. */
  #restarting: AbortController | null = null
  /** What loads beside what serves. */
  #loading: Session | null = null
  #mayLoadQuietly = false
  #exclusive: Promise<void> = Promise.resolve()
  readonly #lanes = new Set<Lane>()

  constructor(options: InferenceServiceOptions) {
    this.#options = options
    this.#slowMs = options.slowMs ?? 0
    this.#backoff = new Backoff({
      firstMs: options.restartFirstMs ?? RESTART_FIRST_MS,
      maxMs: options.restartMaxMs ?? RESTART_MAX_MS,
      resetAfterMs: RESTART_RESET_MS,
    })
  }

  /**
   * Start the first child and wait until it can serve.
   * @throws EdgeError `MODEL_INVALID` or `MODEL_FAILED`, see {@link Session.start}.
   */
  async start(model: ServedModel): Promise<void> {
    this.#state = 'serving'
    try {
      await Promise.all([this.#findPriority(), this.swap(model)])
    } catch (error) {
      this.#fail(this.#queue.drain(), 'the model cannot be loaded', labelOf(model))
      await this.stop()
      throw error
    }
  }

  /** Found out before anything depends on it. */
  async #findPriority(): Promise<void> {
    if (this.#options.loadsQuietly !== true) return
    this.#mayLoadQuietly = await mayLift()
    if (!this.#mayLoadQuietly) this.#tell({ event: 'model.loads_loudly' })
  }

  /** Classify one compressed picture. Never rejects. */
  infer(picture: Uint8Array): Promise<Outcome> {
    if (this.#state !== 'serving') {
      return Promise.resolve(refusal('NOT_READY', 'the node is starting or stopping; try again in a moment'))
    }
    if (this.#queue.length >= this.#options.queueLimit) {
      return Promise.resolve(
        refusal('OVERLOADED', `${this.#queue.length} requests wait already (inference.queueLimit); send fewer at once`),
      )
    }
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const arrivedAtMs = performance.now()
    const deadlineMs = arrivedAtMs + this.#options.timeoutMs
    this.#queue.push({ picture, arrivedAtMs, deadlineMs, resolve, isSettled: false })
    this.#sweeper ??= setInterval(() => this.#sweep(), Math.min(SWEEP_EVERY_MS, this.#options.timeoutMs / 4))
    this.#wake()
    return promise
  }

  /**
   * Serve another model: warm it in a new child while the old one serves, switch, let the old one finish. One swap at a
   * time; when the new model cannot be loaded the old one stays. With `keepBefore` the old child stays warm, and a swap
   * back to its model is only the switch; until the next swap or {@link dropSpare}.
   * @throws EdgeError `MODEL_INVALID` or `MODEL_FAILED`, see {@link Session.start}.
   */
  swap(model: ServedModel, { keepBefore = false, signal }: SwapOptions = {}): Promise<void> {
    // Whatever is being started again is not wanted any more, and may take its time.
    this.#restarting?.abort()
    return this.#alone(async () => {
      signal?.throwIfAborted()
      if (this.#state !== 'serving') {
        throw new EdgeError('NOT_READY', { message: 'the inference service is not running' })
      }
      const lane = this.#takeSpare(model) ?? (await this.#open(model, 'begin', signal))
      const old = this.#lane
      this.#lane = lane
      this.#model = model
      this.#cancelRestart()
      this.#wake()
      this.dropSpare()
      if (old === null) return
      if (keepBefore) this.#spare = old
      else void this.#retire(old)
    })
  }

  /** End the child of the model that served before, if there is one. */
  dropSpare(): void {
    const spare = this.#spare
    this.#spare = null
    if (spare !== null) void this.#retire(spare)
  }

  /** Set or clear the declared fault. */
  setFault({ slowMs }: { slowMs: number }): void {
    this.#slowMs = slowMs
    for (const lane of this.#lanes) lane.session.setSlowMs(slowMs)
  }

  /** Whether a child stands ready to run the model. */
  isReady(): boolean {
    return this.#state === 'serving' && this.#lane !== null
  }

  status(): ServiceStatus {
    return {
      model: this.#model,
      childPid: this.#lane?.session.pid ?? null,
      generation: this.#generation,
      queued: this.#queue.length,
      inFlight: [...this.#lanes].reduce((sum, lane) => sum + lane.size, 0),
      slowMs: this.#slowMs,
    }
  }

  /** Refuse new requests, finish those that are here, end every child. Takes at most the request timeout and the grace. */
  async stop(): Promise<void> {
    if (this.#state === 'idle') return
    this.#state = 'stopping'
    this.#cancelRestart()
    if (this.#lane === null) this.#fail(this.#queue.drain(), 'the node is stopping')
    while (this.#queue.length > 0 || this.#lane?.size) {
      this.#pump()
      await this.#lane?.whenIdle()
    }
    await Promise.all([...this.#lanes].map((lane) => lane.whenIdle()))
    await Promise.all([...this.#lanes].map((lane) => lane.session.end(END_GRACE_MS)))
    await this.#exclusive
    this.#lane = null
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#state = 'idle'
  }

  #alone(work: () => Promise<void>): Promise<void> {
    const turn = this.#exclusive.then(work)
    this.#exclusive = turn.catch(() => {})
    return turn
  }

  #takeSpare(model: ServedModel): Lane | null {
    const spare = this.#spare
    if (spare === null || spare.session.pid === null || !isSame(spare.session.model, model)) return null
    this.#spare = null
    return spare
  }

  async #open(model: ServedModel, why: 'begin' | 'restart', signal?: AbortSignal): Promise<Lane> {
    this.#generation += 1
    const { batchMax, pixelLimit, readyTimeoutMs = READY_TIMEOUT_MS } = this.#options
    const slowMs = this.#slowMs
    const session = new Session({
      generation: this.#generation,
      model,
      batchMax,
      pixelLimit,
      readyTimeoutMs,
      slowMs,
      isQuiet: this.#mayLoadQuietly && this.#lane !== null,
      quietMs: this.#options.quietMs,
      childEntry: this.#options.childEntry ?? defaultChildEntry(),
      onAnswers: (answers) => this.#settle(lane, answers),
      onEnd: (reason) => this.#onEnd(lane, reason),
    })
    const lane = new Lane(session)
    this.#lanes.add(lane)
    this.#loading = session
    const giveUp = (): void => session.kill()
    signal?.addEventListener('abort', giveUp)
    try {
      await session.start()
    } catch (error) {
      this.#lanes.delete(lane)
      throw error
    } finally {
      this.#loading = null
      signal?.removeEventListener('abort', giveUp)
    }
    // A fault that was set while the child loaded has not reached it.
    if (slowMs !== this.#slowMs) session.setSlowMs(this.#slowMs)
    const { generation, pid } = session
    this.#tell({ event: 'model.ready', generation, pid, model: labelOf(model), why })
    return lane
  }

  #wake(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    // After the poll phase, so that all requests read in this turn leave in one write.
    setImmediate(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    const lane = this.#lane
    if (lane === null) return
    const windowCount = this.#options.batchMax * 2
    const nowMs = performance.now()
    while (lane.size < windowCount && (lane.bytes < WINDOW_BYTES || lane.size === 0)) {
      const request = this.#queue.shift()
      if (request === undefined) return
      const id = this.#nextId
      this.#nextId = id === 0xffff_ffff ? 1 : id + 1
      lane.send(id, request, nowMs)
    }
  }

  #settle(lane: Lane, answers: readonly ChildAnswer[]): void {
    const nowMs = performance.now()
    const model = labelOf(lane.session.model)
    lane.progressAtMs = nowMs
    for (const answer of answers) {
      const request = lane.take(answer[0])
      if (request === undefined) continue
      if (answer.length === 3) {
        settleOnce(request, { ok: false, code: answer[1], msg: answer[2], model })
      } else {
        const [, pred, confidence, decodeMs, runMs] = answer
        const queueMs = Math.max(0, nowMs - request.arrivedAtMs - decodeMs - runMs)
        settleOnce(request, { ok: true, pred, confidence, model, decodeMs, queueMs, runMs })
      }
    }
    this.#pump()
    lane.tellIdle()
  }

  #onEnd(lane: Lane, reason: string): void {
    this.#lanes.delete(lane)
    if (lane === this.#spare) this.#spare = null
    const lost = lane.takeAll()
    this.#fail(lost, 'the process of the model died; send the request again', labelOf(lane.session.model))
    if (lane === this.#lane) {
      this.#lane = null
      // Nothing serves that it would have to stand back for.
      this.#loading?.lift()
      if (this.#state === 'serving') {
        const { generation, model } = lane.session
        this.#tell({ event: 'model.died', generation, model, reason, failed: lost.length })
        this.#scheduleRestart()
      } else {
        this.#fail(this.#queue.drain(), 'the node is stopping')
      }
    }
    lane.tellIdle()
  }

  #scheduleRestart(): void {
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = null
      void this.#alone(() => this.#restart())
    }, this.#backoff.delayMs(performance.now()))
  }

  async #restart(): Promise<void> {
    // A swap that was waiting its turn may have brought a child of its own.
    if (this.#state !== 'serving' || this.#lane !== null || this.#model === null) return
    const restarting = new AbortController()
    this.#restarting = restarting
    try {
      const lane = await this.#open(this.#model, 'restart', restarting.signal)
      if (this.#state !== 'serving') return
      this.#lane = lane
      this.#wake()
    } catch (error) {
      if (this.#state !== 'serving') return
      // Whoever broke it off brings another model, or goes on with this one when that does not load.
      if (restarting.signal.aborted) {
        this.#scheduleRestart()
        return
      }
      this.#tell({ event: 'model.restart_failed', generation: this.#generation, error: error as EdgeError })
      this.#scheduleRestart()
    } finally {
      this.#restarting = null
    }
  }

  #cancelRestart(): void {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer)
    this.#restartTimer = null
  }

  async #retire(old: Lane): Promise<void> {
    const timer = setTimeout(() => old.session.kill(), this.#options.timeoutMs + this.#slowMs)
    await old.whenIdle()
    clearTimeout(timer)
    await old.session.end(END_GRACE_MS)
  }

  #sweep(): void {
    const nowMs = performance.now()
    const { timeoutMs } = this.#options
    const waited = `waited ${timeoutMs / 1000} s without an answer (inference.timeout); try again later`
    this.#fail(this.#queue.takeOverdue(nowMs), `the request ${waited}`)
    for (const lane of this.#lanes) {
      this.#fail(lane.overdue(nowMs), `the request ${waited}`, labelOf(lane.session.model))
      const silentMs = nowMs - lane.progressAtMs
      if (lane.size === 0 || silentMs <= timeoutMs + this.#slowMs) continue
      lane.progressAtMs = nowMs
      this.#tell({ event: 'model.hung', generation: lane.session.generation, silentMs })
      lane.session.kill()
    }
  }

  #fail(requests: readonly QueuedRequest[], msg: string, model: string | null = this.#modelLabel()): void {
    for (const request of requests) settleOnce(request, { ok: false, code: 'MODEL_FAILED', msg, model })
  }

  #modelLabel(): string | null {
    return this.#model === null ? null : labelOf(this.#model)
  }

  #tell(event: ServiceEvent): void {
    this.#options.onEvent?.(event)
  }
}

function isSame(a: ServedModel, b: ServedModel): boolean {
  return a.path === b.path && a.digest === b.digest && labelOf(a) === labelOf(b)
}
