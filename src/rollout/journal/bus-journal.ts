import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Consumer, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { changeId } from '../../../protocol/change.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { readRolloutSubject, rolloutSubject } from '../../../protocol/rollout-subjects.ts'
import { ROLLOUT_STREAM } from '../../../protocol/stream-config.ts'
import type { AppendOutcome, Journal, JournalEntry, RolloutEvent } from '../contract.ts'
import { entryMessage, readEntryMessage } from './bus-entry.ts'
import type { BusStore, HeldMessage } from './bus-store.ts'

/** Who wrote a message, so that one whose answer was lost is known again. */
const ENTRY_HEADER = 'Edge-Entry'
const BATCH = 256
const RETRY_MS = 500
/** An idle consumer is forgotten by the server after this. */
const IDLE_MS = 30_000
const PARALLEL_LOOKS = 32
const NEVER = new AbortController().signal
const CONFLICT = { ok: false, why: 'conflict' } as const

/** How far a journal was read: its last entry, and the last message on its subject, whether that is an entry or not. */
interface End {
  readonly seq: number
  readonly position: number
}

type Held = Pick<HeldMessage, 'position' | 'data' | 'header'>

interface Read {
  readonly entries: readonly { readonly entry: JournalEntry; readonly mark: string }[]
  readonly end: End
}

/**
 * Rollouts on a bus: a subject each in the stream `ROLLOUT`. Every message names the one that must be last on its subject,
 * so the server itself lets one of several writers through. What is no entry of the next number counts as nothing: whoever
 * may write there can be a nuisance, and not stop a rollout by it.
 */
export class BusJournal implements Journal {
  readonly #store: BusStore
  readonly #ends = new Map<string, End>()
  /** When each rollout began; that does not change. */
  readonly #began = new Map<string, number>()

  constructor(store: BusStore) {
    this.#store = store
  }

  async list(): Promise<readonly string[]> {
    return this.#guard(async () => {
      const { connection, apiPrefix } = await this.#store.door()
      const manager = await jetstreamManager(connection, {
        apiPrefix,
        timeout: this.#store.timeoutMs,
        checkAPI: false,
      })
      const { state } = await manager.streams.info(ROLLOUT_STREAM, { subjects_filter: '>' })
      const ids = Object.keys(state.subjects ?? {}).flatMap((subject) => readRolloutSubject(subject) ?? [])
      const unknown = ids.filter((id) => !this.#began.has(id))
      for (let at = 0; at < unknown.length; at += PARALLEL_LOOKS) {
        await Promise.all(
          unknown.slice(at, at + PARALLEL_LOOKS).map(async (id) => {
            const { atMs } = await this.#store.next(ROLLOUT_STREAM, rolloutSubject(id))
            this.#began.set(id, atMs)
          }),
        )
      }
      const beganMs = (id: string): number => this.#began.get(id) ?? 0
      return ids.sort((a, b) => beganMs(b) - beganMs(a) || (a < b ? 1 : -1))
    })
  }

  async read(rollout: string, afterSeq = 0): Promise<readonly JournalEntry[]> {
    return this.#guard(async () => {
      const { entries } = await this.#readAll(rollout)
      return entries.flatMap(({ entry }) => (entry.seq > afterSeq ? [entry] : []))
    })
  }

  async append(rollout: string, event: RolloutEvent, expectedSeq: number): Promise<AppendOutcome> {
    const subject = subjectOf(rollout)
    const seq = expectedSeq + 1
    const { data, headers } = entryMessage({ seq, event })
    const mark = randomBytes(12).toString('base64url')
    return this.#guard(async () => {
      const place = await this.#endAt(rollout, expectedSeq)
      if (place === null) return CONFLICT
      const expected = { position: place.position, headers: { ...headers, [ENTRY_HEADER]: mark } }
      const send = () => this.#store.put({ stream: ROLLOUT_STREAM, subject }, data, expected)
      let stored: Awaited<ReturnType<typeof send>>
      try {
        stored = await send()
      } catch {
        // It may have been stored all the same; sent again it names the same place, so it is never there twice.
        const { entries } = await this.#readAll(rollout)
        const there = entries.find(({ entry }) => entry.seq === seq)
        if (there !== undefined) return there.mark === mark ? { ok: true, seq } : CONFLICT
        stored = await send()
      }
      if (stored === null) {
        this.#ends.delete(rollout)
        return CONFLICT
      }
      this.#ends.set(rollout, { seq, position: stored.position })
      return { ok: true, seq }
    })
  }

  async follow(
    rollout: string,
    afterSeq: number,
    took: (entry: JournalEntry) => void,
    signal: AbortSignal,
  ): Promise<void> {
    subjectOf(rollout)
    let end: End = { seq: 0, position: 0 }
    while (!signal.aborted) {
      try {
        const till = { through: Number.POSITIVE_INFINITY, signal }
        for await (const { entry } of this.#messages(rollout, end, (next) => (end = next), till)) {
          if (signal.aborted) return
          if (entry !== null && entry.seq > afterSeq) took(entry)
        }
      } catch {
        // The bus is away: what comes meanwhile is there when it is back.
      }
      await pause(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** The end of a journal when that is the entry expected; null when it is another. */
  async #endAt(rollout: string, expectedSeq: number): Promise<End | null> {
    const known = this.#ends.get(rollout)
    if (known?.seq === expectedSeq) return known
    if (expectedSeq === 0) return { seq: 0, position: 0 }
    const { end } = await this.#readAll(rollout)
    return end.seq === expectedSeq ? end : null
  }

  async #readAll(rollout: string): Promise<Read> {
    const subject = subjectOf(rollout)
    const last = await this.#store.last(ROLLOUT_STREAM, subject)
    const entries: { entry: JournalEntry; mark: string }[] = []
    let end: End = { seq: 0, position: 0 }
    if (last.position > 0) {
      const till = { through: last.position, signal: NEVER }
      for await (const { entry, mark } of this.#messages(rollout, end, (next) => (end = next), till)) {
        if (entry !== null) entries.push({ entry, mark })
      }
    }
    this.#ends.set(rollout, end)
    return { entries, end }
  }

  /**
   * The messages of a journal behind a place, through one that is there already or else those that come too; `moved` is told
   * of each place. Throws when it is lost.
   */
  async *#messages(
    rollout: string,
    from: End,
    moved: (end: End) => void,
    { through, signal }: { readonly through: number; readonly signal: AbortSignal },
  ): AsyncGenerator<{ readonly entry: JournalEntry | null; readonly mark: string }> {
    let { seq, position } = from
    const open = (message: Held) => {
      const entry = readEntryMessage(message.data, message.header('Content-Encoding'))
      const isNext = typeof entry !== 'string' && entry.seq === seq + 1
      if (isNext) seq = entry.seq
      position = message.position
      moved({ seq, position })
      return { entry: isNext ? entry : null, mark: message.header(ENTRY_HEADER) }
    }
    while (!signal.aborted && position < through) {
      for await (const message of this.#run(rollout, position + 1, signal)) {
        yield open(message)
        if (signal.aborted || position >= through) return
      }
      if (signal.aborted) return
      // An empty message ends what one account of a bus may hear from another; and a consumer may have been forgotten.
      const next = await this.#store.next(ROLLOUT_STREAM, rolloutSubject(rollout), position + 1)
      if (next.position > 0) yield open(next)
      else if (through < Number.POSITIVE_INFINITY) throw new Error('the stream holds less than it did')
    }
  }

  /** What one consumer sends, until nothing came for a while. */
  async *#run(rollout: string, fromPosition: number, signal: AbortSignal): AsyncGenerator<Held> {
    const consumer = await this.#consumer(rollout, fromPosition)
    try {
      for (let came = true; came && !signal.aborted; ) {
        came = false
        const batch = await consumer.fetch({ max_messages: BATCH, expires: Math.max(1000, this.#store.timeoutMs) })
        const onAbort = (): void => batch.stop()
        signal.addEventListener('abort', onAbort)
        try {
          for await (const { data, headers, seq } of batch) {
            came = true
            yield { position: seq, data, header: (name) => headers?.get(name) ?? '' }
          }
        } finally {
          signal.removeEventListener('abort', onAbort)
        }
      }
    } finally {
      // The server forgets it by itself where this does not arrive.
      await consumer.delete().catch(() => undefined)
    }
  }

  async #consumer(rollout: string, startSeq: number): Promise<Consumer> {
    const { connection, apiPrefix } = await this.#store.door()
    const options = { timeout: this.#store.timeoutMs, apiPrefix }
    return await jetstream(connection, options).consumers.get(ROLLOUT_STREAM, {
      // As text and not as a list: then it is a part of the request's subject, which permissions look at.
      filter_subjects: rolloutSubject(rollout),
      inactive_threshold: IDLE_MS,
      opt_start_seq: startSeq,
    })
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw this.#store.failing(cause)
    }
  }
}

/** @throws EdgeError `ROLLOUT_MISSING` for what is no id */
function subjectOf(rollout: string): string {
  if (changeId.safeParse(rollout).success) return rolloutSubject(rollout)
  throw new EdgeError('ROLLOUT_MISSING', {
    message: 'there is no rollout of that name',
    next: ['see edgedeck rollout list'],
  })
}
