import { messageOf } from '../../../protocol/errors.ts'
import { Backoff } from '../backoff.ts'
import { Bell } from '../bell.ts'
import type { Wire } from '../wire.ts'
import type { ResendBook } from './book.ts'
import { isDone, type Resend } from './request.ts'
import { ResendRun, type ResendRunOptions, type ResendStep } from './run.ts'

/** What a {@link Resender} is made of. */
export interface ResenderOptions extends Omit<ResendRunOptions, 'onProgress' | 'wire'> {
  readonly target: string
  readonly wire: Wire
  readonly book: ResendBook
  /** Whether something live of the same target waits to be sent. */
  readonly liveWaits: () => boolean
}

const BACKOFF = { firstMs: 250, maxMs: 30_000 } as const
const MAX_RETRY_AFTER_MS = 300_000
/** While the link is down it is looked at this often. */
const LINK_LOOK_MS = 500
/** Longest a block stands back for live ones, and how often it looks. */
const STAND_BACK_MS = 2000
const STAND_BACK_LOOK_MS = 50

/** Carries out the resend requests to one target, one after the other, behind everything live; it tries for ever. */
export class Resender {
  readonly #options: ResenderOptions
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
  readonly #stop = new AbortController()
  #current: string | null = null
  #error: string | null = null
  #running: Promise<void> | null = null

  constructor(options: ResenderOptions) {
    this.#options = options
  }

  get target(): string {
    return this.#options.target
  }

  /** Id of the request that is under way, and why it does not go on. */
  get current(): { readonly requestId: string; readonly error: string | null } | null {
    return this.#current === null ? null : { requestId: this.#current, error: this.#error }
  }

  start(): void {
    this.#running = this.#run()
  }

  /** A request was entered into the book. */
  wake(): void {
    this.#bell.ring()
  }

  /** Begin no further block; resolves when the one in flight has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#bell.ring()
    await this.#running
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const next = this.#options.book.all().find((one) => one.target === this.target && !isDone(one))
      if (next === undefined) await this.#bell.sleep()
      else await this.#carryOut(next)
    }
  }

  async #carryOut(request: Resend): Promise<void> {
    const { book, wire } = this.#options
    const run = new ResendRun(request, { ...this.#options, onProgress: (changed) => book.put(changed) })
    this.#current = request.requestId
    for (;;) {
      if (wire.state !== 'up') {
        run.unsettle()
        this.#error = wire.error ?? 'the target is not reached'
        await this.#bell.sleep(LINK_LOOK_MS)
      }
      if (this.#stopped) break
      if (wire.state !== 'up') continue
      await this.#standBack()
      const step = await this.#step(run)
      if (step.outcome === 'failed') {
        this.#error = step.msg
        const askedMs = Math.min(step.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
        await this.#bell.sleep(Math.max(this.#backoff.nextMs(), askedMs))
        continue
      }
      this.#error = null
      this.#backoff.reset()
      if (step.outcome !== 'more') break
    }
    this.#current = null
    this.#error = null
    await book.saved()
  }

  async #step(run: ResendRun): Promise<ResendStep> {
    try {
      return await run.step(this.#stop.signal)
    } catch (error) {
      return { outcome: 'failed', msg: `the store cannot be read: ${messageOf(error)}` }
    }
  }

  /** Let live blocks go first for a while. */
  async #standBack(): Promise<void> {
    const untilMs = performance.now() + STAND_BACK_MS
    while (!this.#stopped && this.#options.liveWaits() && performance.now() < untilMs) {
      await this.#bell.sleep(STAND_BACK_LOOK_MS)
    }
  }
}
