import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { PlainRecord } from './commit.ts'
import type { StoredRecord, StoredRun } from './contract.ts'
import type { LogEngine } from './engine.ts'
import { MAX_COMMIT_CHARS } from './incoming.ts'
import { ENVELOPE_BYTES } from './line.ts'
import type { FromWorker, StoreView, ToWorker } from './messages.ts'
import { unpacked } from './packed-records.ts'
import { placesOf } from './places.ts'
import { readRange } from './range-read.ts'
import { readRun } from './run-read.ts'
import type { StoreKeys } from './seal.ts'

const READ_SLICE_MS = 4
const MAINTAIN_EVERY_MS = 1000
const SYNC_EVERY_MS = 100

/** Sends to the main thread; buffers of `moved` are handed over and not copied. */
export type PostMessage = (message: FromWorker, moved?: readonly ArrayBuffer[]) => void

interface Call {
  readonly records: readonly PlainRecord[]
  readonly chars: number
}

interface PendingRead {
  readonly id: number
  /** Yields at every place to pause; the answer is what it returns. */
  readonly steps: Generator<null, FromWorker>
}

/**
 * Serves the engine to the main thread. Group commit comes by itself: messages that arrive while a sync runs wait in the
 * port, and all of them are the next commit. Reads run in slices between commits.
 */
export class StoreService {
  readonly #engine: LogEngine
  readonly #post: PostMessage
  readonly #onClosed: () => void
  readonly #timer: NodeJS.Timeout
  readonly #syncEveryMs: number
  #syncTimer: NodeJS.Timeout | null = null
  #calls: Call[] = []
  #reads: PendingRead[] = []
  #isPlanned = false
  #isClosing = false
  #isMaintaining = false
  #reserve = ''

  /** @param syncEveryMs how long what is answered may wait for its sync, where the engine does not sync each commit */
  constructor(engine: LogEngine, post: PostMessage, onClosed: () => void, syncEveryMs = SYNC_EVERY_MS) {
    this.#syncEveryMs = syncEveryMs
    this.#engine = engine
    this.#post = post
    this.#onClosed = onClosed
    // Ages pass and disks get room while nobody appends.
    this.#timer = setInterval(() => this.#plan(), MAINTAIN_EVERY_MS)
  }

  /** Take one message; answers follow by `post`. */
  receive(message: ToWorker): void {
    switch (message.t) {
      case 'append':
        this.#engine.noteLost(message.lost)
        this.#take(message)
        break
      case 'read':
        this.#reads.push({
          id: message.id,
          steps: recordsSteps(message.id, readRange(this.#engine.source(), message.request)),
        })
        break
      case 'run':
        this.#reads.push({
          id: message.id,
          steps: runSteps(message.id, readRun(this.#engine.source(), message.request)),
        })
        break
      case 'places':
        this.#post({ t: 'places', id: message.id, places: placesOf(this.#engine.source(), message.request) })
        return
      case 'cursor': {
        const error = this.#engine.saveCursor(message.target, message.class, message.seq)
        this.#post({ t: 'cursor', chains: this.#engine.targets.chains(), error, view: this.view() })
        return
      }
      case 'chain': {
        const error = this.#engine.saveChain(message.target, message.class, message.chain)
        this.#post({ t: 'cursor', chains: null, error, view: this.view() })
        return
      }
      case 'epoch':
        this.#beginEpoch(message)
        return
      case 'keys':
        this.#changeKeys(message.keys)
        return
      case 'close':
        this.#isClosing = true
        break
    }
    this.#plan()
  }

  view(): StoreView {
    return { status: this.#engine.status(), backlogs: this.#engine.targets.backlogs() }
  }

  #beginEpoch({ reason, msg }: Extract<ToWorker, { t: 'epoch' }>): void {
    const outcome = this.#engine.beginEpoch(reason, msg)
    if (outcome.ok) {
      const { epoch, firstSeq, own } = outcome
      this.#post({ t: 'committed', calls: 0, epoch, firstSeq, own, view: this.view() })
    }
    this.#post({ t: 'epoch', forks: this.#engine.forks, error: outcome.ok ? null : outcome.msg, view: this.view() })
  }

  #changeKeys(keys: StoreKeys): void {
    try {
      this.#engine.changeKeys(keys)
      this.#post({ t: 'keys', refusal: null, view: this.view() })
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      const { code, message, next } = error
      this.#post({ t: 'keys', refusal: { code, message, next }, view: this.view() })
    }
  }

  #take({ calls, records, triedAgain }: Extract<ToWorker, { t: 'append' }>): void {
    const all = unpacked(records)
    let from = 0
    for (const [call, count] of calls.entries()) {
      const own = calls.length === 1 ? all : all.slice(from, from + count)
      if (own.length !== count) throw new RangeError('an append misses records')
      from += count
      let chars = 0
      const isTriedAgain = triedAgain?.[call] === true
      for (const record of own) {
        record.isTriedAgain = isTriedAgain
        chars += record.bodyJson.length + ENVELOPE_BYTES
      }
      this.#calls.push({ records: own, chars })
    }
  }

  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    // After the poll phase, so that all messages that wait in the port are in the next commit.
    setImmediate(() => {
      this.#isPlanned = false
      this.#commitOnce()
      this.#readOnce()
      const more = !this.#isClosing && this.#maintainOnce()
      if (this.#calls.length > 0 || this.#reads.length > 0 || more) this.#plan()
      else if (this.#isClosing) this.#close()
    })
  }

  #commitOnce(): void {
    const batch = this.#nextBatch()
    if (batch.length === 0) return
    const outcome = this.#engine.commit(batch.flatMap(({ records }) => records))
    if (!outcome.ok) {
      const { code, msg } = outcome
      this.#post({ t: 'refused', calls: batch.length, code, msg, view: this.view() })
      return
    }
    const { epoch, firstSeq, own } = outcome
    this.#post({ t: 'committed', calls: batch.length, epoch, firstSeq, own, view: this.view() })
    if (this.#engine.isUnsynced) this.#syncTimer ??= setTimeout(() => this.#syncLate(), this.#syncEveryMs)
  }

  #syncLate(): void {
    this.#syncTimer = null
    this.#engine.flush()
  }

  /** A slice of eviction and the like; it waits for no commit, and no commit waits for more than it. */
  #maintainOnce(): boolean {
    const { written, more, reserve } = this.#engine.maintain()
    for (const { epoch, firstSeq, own } of written) {
      this.#post({ t: 'committed', calls: 0, epoch, firstSeq, own, view: this.view() })
    }
    if ((this.#isMaintaining && !more) || reserve !== this.#reserve) this.#post({ t: 'view', view: this.view() })
    this.#isMaintaining = more
    this.#reserve = reserve
    return more
  }

  #nextBatch(): Call[] {
    let chars = 0
    let count = 0
    for (const call of this.#calls) {
      chars += call.chars
      if (count > 0 && chars > MAX_COMMIT_CHARS) break
      count += 1
    }
    const batch = this.#calls.slice(0, count)
    this.#calls = this.#calls.slice(count)
    return batch
  }

  #readOnce(): void {
    const read = this.#reads.shift()
    if (read === undefined) return
    const { id, steps } = read
    try {
      const answer = advance(steps)
      if (answer === null) this.#reads.push(read)
      else this.#post(answer, answer.t === 'run' && answer.run !== null ? [answer.run.ndjson.buffer] : [])
    } catch (error) {
      this.#post({ t: 'unread', id, msg: messageOf(error) })
    }
  }

  #close(): void {
    if (this.#syncTimer !== null) clearTimeout(this.#syncTimer)
    clearInterval(this.#timer)
    this.#engine.close()
    this.#post({ t: 'closed' })
    this.#onClosed()
  }
}

/** Read on for a slice of time; the answer when the read has come to its end, else null. */
function advance(steps: Generator<null, FromWorker>): FromWorker | null {
  const until = performance.now() + READ_SLICE_MS
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (performance.now() > until) return null
  }
}

function* recordsSteps(id: number, steps: Generator<StoredRecord | null>): Generator<null, FromWorker> {
  const records: StoredRecord[] = []
  for (const record of steps) {
    if (record === null) yield null
    else records.push(record)
  }
  return { t: 'read', id, records }
}

function* runSteps(id: number, steps: Generator<null, StoredRun | null>): Generator<null, FromWorker> {
  return { t: 'run', id, run: yield* steps }
}
