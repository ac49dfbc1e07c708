import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { Schedule } from '../../fleet/coalescer.ts'
import { LogBook } from '../../fleet/log-book.ts'
import type { RowOrigin } from '../../fleet/log-intake.ts'
import type { AsOf, LogRow } from '../../fleet/view.ts'
import type { ContainerEvent, ContainerLog, LogBegin, RemotePlace } from '../../remote/contract.ts'
import { ContainerLink } from './container-link.ts'

/** A container whose log is shown. */
export interface ShownContainer {
  /** Node that it is on, by the operator's name. */
  readonly key: string
  readonly place: RemotePlace
  readonly log: ContainerLog
}

/** What a tail needs of its console. */
export interface TailParts {
  /** Clock of the node minus ours, ms. */
  readonly offsetMs: number
  readonly schedule: Schedule
  readonly now: () => number
  readonly changed: () => void
}

/** Lines to begin with. */
const TAIL = 1000
const MAX_ROWS = 20_000
/** What is kept is read when the first line came, so that nothing is between; one that says nothing is waited for so long, ms. */
const SILENT_MS = 3000
/** How far before our clock the lines are read that came while the log could not be read, ms: clocks differ. */
const MARGIN_MS = 60_000
/** Lines are gathered for so long, so that a flood of them makes ten changes a second, ms. */
const GATHER_MS = 100
/** How long until a log that could not be read is asked for again, ms; each time twice as long. */
const RETRY_MS = 1000
const MAX_RETRY_MS = 10_000

/** What a container writes while its log screen is open: rows as those of nodes, in a book of their own. */
export class ContainerTail {
  readonly shown: ShownContainer
  readonly link: ContainerLink
  readonly offsetMs: number
  readonly #parts: TailParts
  readonly #book = new LogBook({ maxRows: MAX_ROWS })
  readonly #abort = new AbortController()
  readonly #begun = Promise.withResolvers<void>()
  #pending: ContainerEvent[] = []
  /** Time of the newest line, Unix ms on the node's clock. */
  #newest = Number.NEGATIVE_INFINITY
  #version = 0

  constructor(shown: ShownContainer, parts: TailParts) {
    this.shown = shown
    this.link = new ContainerLink(shown.log)
    this.offsetMs = parts.offsetMs
    this.#parts = parts
  }

  /** Begin to follow, and go on until it is stopped. */
  start(): void {
    this.#parts.schedule(() => this.#begun.resolve(), SILENT_MS)
    void this.#run()
  }

  stop(): void {
    this.#abort.abort()
  }

  /** Settles when it is known from where on every line comes here. */
  get begun(): Promise<void> {
    return this.#begun.promise
  }

  /** Changes with the rows. */
  get version(): number {
    return this.#version
  }

  /** What came, oldest first. */
  rows(asOf: AsOf): readonly LogRow[] {
    return this.#book.query({ asOf })
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    const startMs = this.#parts.now() + this.offsetMs
    let from: LogBegin = { sinceMs: null, tail: TAIL }
    let told = ''
    for (let retryMs = RETRY_MS; !signal.aborted; retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)) {
      try {
        for await (const event of this.shown.log.follow(from, signal)) {
          retryMs = RETRY_MS
          told = ''
          this.#take(event)
        }
        return
      } catch (error) {
        if (signal.aborted) return
        const text = faultText(error)
        // What is wrong is one row, however often it is tried.
        if (text !== told) this.#take({ kind: 'gap', atMs: this.#parts.now(), text })
        told = text
      }
      from = { sinceMs: Number.isFinite(this.#newest) ? this.#newest : startMs - MARGIN_MS, tail: null }
      await this.#pause(retryMs)
    }
  }

  #take(event: ContainerEvent): void {
    if (this.#abort.signal.aborted) return
    if (this.#pending.push(event) === 1) this.#parts.schedule(() => this.#flush(), GATHER_MS)
  }

  #flush(): void {
    const { key } = this.shown
    const origin: RowOrigin = { key, offsetMs: this.offsetMs, receivedMs: this.#parts.now() }
    const events = this.#pending
    this.#pending = []
    let records: LogRecord[] = []
    for (const event of events) {
      if (event.kind === 'line') {
        records.push(event.record)
        this.#newest = Math.max(this.#newest, event.record.timestamp)
        continue
      }
      this.#book.intake.addLines(origin, records)
      records = []
      // It stands behind the last line, and before those that come late with what happened while it was not read.
      const toMs = Number.isFinite(this.#newest) ? this.#newest : event.atMs + this.offsetMs
      this.#book.intake.addGap(origin, { missed: null, reason: 'told', text: untrusted(event.text), toMs })
    }
    this.#book.intake.addLines(origin, records)
    this.#version += 1
    this.#begun.resolve()
    if (!this.#abort.signal.aborted) this.#parts.changed()
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#abort
    return new Promise((resolve) => {
      const stop = this.#parts.schedule(resolve, ms)
      signal.addEventListener(
        'abort',
        () => {
          stop()
          resolve()
        },
        { once: true },
      )
    })
  }
}

function faultText(error: unknown): string {
  if (!(error instanceof EdgeError)) return `the log cannot be read: ${messageOf(error)}`
  const [next] = error.next
  return `the log cannot be read: ${error.message}${next === undefined ? '' : ` → ${next}`}`
}
