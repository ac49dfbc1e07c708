import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../../protocol/errors.ts'
import type { Priority } from '../inference/background.ts'
import type { ChildAnswer } from '../inference/messages.ts'
import { labelOf } from '../inference/outcome.ts'
import { defaultChildEntry, Session } from '../inference/session.ts'
import type { ServedModel } from '../models/models.ts'
import type { Answer } from './comparison.ts'

/** Longest that loading may take: at idle priority a busy node has little time for it. */
const READY_TIMEOUT_MS = 180_000
/** Longest that one picture may take, not counting what the child waited for a core. */
const PATIENCE_MS = 20_000
const LOOK_EVERY_MS = 1000
/** How often a model may die or hang before it is given up. */
const MOST_DEATHS = 3
const END_GRACE_MS = 1000
/** A process that was killed needs a core to end, which at idle priority it may not get: nobody waits longer for it. */
const GONE_WITHIN_MS = 3000

/** How an {@link Arm} works; times in ms. */
export interface ArmOptions {
  readonly model: ServedModel
  /** Most pixels that a picture may have. */
  readonly pixelLimit: number
  readonly priority: Priority
  readonly patienceMs?: number
  /** File that node runs as the child; the one of this build unless told otherwise. */
  readonly childEntry?: string | undefined
}

/**
 * A model beside what serves, in a child of its own that stands back; one picture at a time. A child
 * that dies or hangs is one failed picture and is started anew, a few times.
 */
export class Arm {
  readonly #options: ArmOptions
  #session: Session | null = null
  #generation = 0
  #deaths = 0
  #nextId = 1
  #asked: { readonly id: number; readonly answer: (answer: Answer) => void } | null = null
  #lastWords = ''
  #isStopped = false
  readonly #stopped = Promise.withResolvers<void>()

  constructor(options: ArmOptions) {
    this.#options = options
  }

  /** Process id of the child while there is one. */
  get pid(): number | null {
    return this.#session?.pid ?? null
  }

  /**
   * Load the model, if it is not; a child that dies meanwhile is followed by another, a few times.
   * @throws EdgeError `MODEL_INVALID` when it cannot be loaded, `MODEL_FAILED` when it died too often or takes too long.
   */
  async start(): Promise<void> {
    while (this.#session === null && !this.#isStopped) {
      try {
        await this.#begin()
      } catch (error) {
        if (!(error instanceof EdgeError) || error.code !== 'MODEL_FAILED' || this.#isStopped) throw error
        this.#deaths += 1
        if (this.#deaths >= MOST_DEATHS) throw error
      }
    }
  }

  /**
   * What the model makes of a picture. Ask one at a time.
   * @throws EdgeError as {@link start}, when it had to be started anew and that failed.
   */
  async ask(picture: Uint8Array): Promise<Answer> {
    await this.start()
    const session = this.#session
    if (session === null || this.#isStopped) return FAILED
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const id = this.#nextId++
    this.#asked = { id, answer: resolve }
    const watch = this.#watch(session)
    session.send(id, picture)
    try {
      return await promise
    } finally {
      clearInterval(watch)
    }
  }

  /** End the child, also one that loads or hangs; who waits for an answer gets a failure. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopped.resolve()
    const session = this.#session
    this.#session = null
    this.#settle(FAILED)
    if (session === null) return
    const waiting = new AbortController()
    const longEnough = sleep(GONE_WITHIN_MS, undefined, { signal: waiting.signal }).catch(() => undefined)
    // A child in a run does not see that its pipe was closed.
    await Promise.race([session.end(END_GRACE_MS), longEnough])
    waiting.abort()
  }

  async #begin(): Promise<void> {
    if (this.#deaths >= MOST_DEATHS) throw this.#givenUp()
    const { model, pixelLimit, priority, childEntry = defaultChildEntry() } = this.#options
    this.#generation += 1
    const session = new Session({
      generation: this.#generation,
      model,
      batchMax: 1,
      pixelLimit,
      slowMs: 0,
      readyTimeoutMs: READY_TIMEOUT_MS,
      childEntry,
      background: priority,
      onAnswers: (answers) => this.#take(answers),
      onEnd: (reason) => this.#onEnd(session, reason),
    })
    this.#session = session
    try {
      // Nobody who stops it waits for a child that loads.
      await Promise.race([session.start(), this.#stopped.promise])
    } catch (error) {
      this.#session = null
      throw error
    }
  }

  #take(answers: readonly ChildAnswer[]): void {
    for (const answer of answers) {
      if (answer[0] !== this.#asked?.id) continue
      if (answer.length === 3) this.#settle({ ok: false, by: answer[1] === 'MODEL_FAILED' ? 'model' : 'picture' })
      else this.#settle({ ok: true, pred: answer[1], runMs: answer[4] })
    }
  }

  #settle(answer: Answer): void {
    const asked = this.#asked
    this.#asked = null
    asked?.answer(answer)
  }

  #onEnd(session: Session, reason: string): void {
    if (this.#session !== session) return
    this.#session = null
    this.#deaths += 1
    this.#lastWords = reason
    this.#settle(FAILED)
  }

  /** Kills a child that is at one picture for too long, by the time that it could have had. */
  #watch(session: Session): NodeJS.Timeout {
    const { patienceMs = PATIENCE_MS } = this.#options
    const { pid } = session
    const startedAtMs = performance.now()
    const waitedBefore = waitedMs(pid)
    return setInterval(
      async () => {
        if (performance.now() - startedAtMs <= patienceMs) return
        const waited = (await waitedMs(pid)) - (await waitedBefore)
        if (performance.now() - startedAtMs - waited > patienceMs) session.kill()
      },
      Math.min(LOOK_EVERY_MS, patienceMs / 4),
    )
  }

  #givenUp(): EdgeError {
    return new EdgeError('MODEL_FAILED', {
      message: `model ${labelOf(this.#options.model)} died ${this.#deaths} times beside what serves: ${this.#lastWords}`,
      next: ['look at what it does on the pictures of this node before it serves them'],
    })
  }
}

const FAILED: Answer = { ok: false, by: 'model' }

/** How long a process has waited for a core since it began, ms; 0 where the system does not tell. */
async function waitedMs(pid: number | null): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '')
  const waitedNs = Number(text.split(' ')[1])
  return Number.isFinite(waitedNs) ? waitedNs / 1e6 : 0
}
