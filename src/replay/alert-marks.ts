import type { AlertRecord, Severity } from '../../protocol/records.ts'
import type { HistorySource } from '../link/history-source.ts'

/** An alert that began, for a mark on the time bar. */
export interface AlertMark {
  readonly atMs: number
  readonly severity: Severity
}

/** What {@link AlertMarks} needs. */
export interface AlertMarksOptions {
  readonly sources: readonly HistorySource[]
  readonly offsetMs: (node: string) => number
  readonly now: () => number
  readonly changed: () => void
}

interface Read {
  readonly fromMs: number
  readonly atMs: number
  readonly marks: readonly AlertMark[]
}

const MAX_MARKS = 500
const REFRESH_AFTER_MS = 30_000
const MAX_READS = 4

/** When alerts began over the whole span of the time bar, which is longer than what is loaded around the head. */
export class AlertMarks {
  readonly #options: AlertMarksOptions
  readonly #read = new Map<string, Read>()
  readonly #reads = new Map<string, AbortController>()
  #wanted: readonly string[] = []
  #spanMs = 0

  constructor(options: AlertMarksOptions) {
    this.#options = options
  }

  /** Marks of these nodes over so long a time before now are wanted. */
  want(nodes: readonly string[], spanMs: number): void {
    this.#wanted = nodes
    this.#spanMs = spanMs
    for (const [node, abort] of this.#reads) if (!nodes.includes(node)) abort.abort()
    this.#go()
  }

  /** Marks of a node that are known, oldest first. */
  of(node: string): readonly AlertMark[] {
    return this.#read.get(node)?.marks ?? []
  }

  #go(): void {
    const nowMs = this.#options.now()
    for (const node of this.#wanted) {
      if (this.#reads.size >= MAX_READS) return
      const before = this.#read.get(node)
      const fresh =
        before !== undefined && nowMs - before.atMs < REFRESH_AFTER_MS && before.fromMs <= nowMs - this.#spanMs
      if (!fresh && !this.#reads.has(node)) void this.#load(node, nowMs)
    }
  }

  async #load(node: string, nowMs: number): Promise<void> {
    const { sources, offsetMs, changed } = this.#options
    const abort = new AbortController()
    this.#reads.set(node, abort)
    // A little more than the bar, so that the next look is content with it.
    const fromMs = nowMs - this.#spanMs - REFRESH_AFTER_MS
    const offset = offsetMs(node)
    const range = {
      fromMs: Math.max(0, Math.floor(fromMs + offset)),
      toMs: Math.max(0, Math.floor(nowMs + offset)),
      kinds: ['alerts'],
      limitPerKind: MAX_MARKS,
    } as const
    const records: AlertRecord[] = []
    for (const source of sources) {
      const sink = {
        rows: (came: { readonly kind: string; readonly rows: readonly object[] }) => {
          if (came.kind === 'alerts') records.push(...(came.rows as AlertRecord[]))
        },
        gap: () => undefined,
      }
      await source.read(node, range, sink, abort.signal)
      if (records.length > 0 || abort.signal.aborted) break
    }
    this.#reads.delete(node)
    if (abort.signal.aborted) return
    const marks = records
      .filter(({ state }) => state === 'firing')
      .map(({ timestamp, severity }): AlertMark => ({ atMs: timestamp - offset, severity }))
    this.#read.set(node, { fromMs, atMs: nowMs, marks })
    changed()
    this.#go()
  }
}
