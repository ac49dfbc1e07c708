import { type Checkpoint, type FileState, writeCheckpoint } from './checkpoint.ts'
import type { Collector } from './collector.ts'
import type { FollowerStart } from './contract.ts'
import type { FollowedFile } from './followed-file.ts'

/** What {@link Positions} is made of. */
export interface PositionsOptions {
  readonly start: FollowerStart
  readonly collector: Collector
  readonly monotonicMs: () => number
}

/** How often progress is written down. What is read again after a crash is what came in this time. */
const EVERY_MS = 1000

/** The journal as a checkpoint has it. */
export type JournalState = Checkpoint['journal']

/**
 * Writes down how far everything is kept. It tells nothing too early: where the store answers before it has synced, a
 * checkpoint is of what was kept that long ago.
 */
export class Positions {
  readonly #options: PositionsOptions
  #savedAtMs = Number.NEGATIVE_INFINITY
  #hasNew = false
  /** Files that are gone and whose last lines may not be kept yet, with the mark behind them. */
  readonly #leaving = new Map<FollowedFile, number>()
  #journal: JournalState
  /** What was so and when, oldest first; only where it must settle. */
  #settling: { readonly atMs: number; readonly checkpoint: Checkpoint }[] = []
  #settled: Checkpoint | null
  /** How files were when they were new, until something older tells of them. */
  readonly #begun = new Map<string, FileState>()
  #written = ''

  constructor(options: PositionsOptions) {
    this.#options = options
    this.#journal = options.start.checkpoint?.journal ?? null
    this.#settled = options.start.checkpoint
  }

  get journal(): JournalState {
    return this.#journal
  }

  /** How far the journal is kept. */
  journalAt(journal: NonNullable<JournalState>): void {
    this.#journal = journal
  }

  /** A file is new: {@link saveNew} before any record of it. */
  isNew(file: FollowedFile): void {
    this.#hasNew = true
    if (this.#options.start.settleMs > 0) this.#begun.set(file.id, file.state())
  }

  /** A file is gone; it is remembered until all that was read of it is kept. */
  leaves(file: FollowedFile): void {
    this.#leaving.set(file, this.#options.collector.mark())
  }

  /** Write new files down, if there are any. @throws the file system's error. */
  saveNew(files: readonly FollowedFile[]): void {
    if (this.#hasNew) this.save(files)
  }

  /** Write it down if it is time. @throws the file system's error. */
  saveInTime(files: readonly FollowedFile[]): void {
    if (this.#options.monotonicMs() - this.#savedAtMs >= EVERY_MS) this.save(files)
  }

  /** Write it down now. @throws the file system's error. */
  save(files: readonly FollowedFile[]): void {
    const { start, collector, monotonicMs } = this.#options
    const now = monotonicMs()
    this.#savedAtMs = now
    for (const [file, mark] of this.#leaving) if (collector.isPast(mark)) this.#leaving.delete(file)
    const current: Checkpoint = {
      version: 1,
      seq: collector.seq,
      forward: start.settings.forward,
      patterns: [
        ...start.settings.files.map(({ path }) => path),
        ...(start.settings.containers.dir === null ? [] : [`${start.settings.containers.dir}/*.log`]),
      ],
      files: [...files, ...this.#leaving.keys()].map((file) => file.state()),
      journal: this.#journal,
    }
    const checkpoint = start.settleMs === 0 ? current : this.#afterSettling(current, now)
    const text = JSON.stringify(checkpoint)
    if (text !== this.#written) writeCheckpoint(start.checkpointFile, checkpoint)
    this.#written = text
    this.#hasNew = false
  }

  /** The newest that is old enough, with what is new since, of which nothing is kept yet. */
  #afterSettling(current: Checkpoint, now: number): Checkpoint {
    const { settleMs } = this.#options.start
    this.#settling.push({ atMs: now, checkpoint: current })
    while ((this.#settling[0]?.atMs ?? now) <= now - settleMs)
      this.#settled = this.#settling.shift()?.checkpoint ?? null
    const { files = [], seq = 0, journal = null } = this.#settled ?? {}
    const known = new Map(files.map((file) => [file.id, file]))
    for (const { id } of files) this.#begun.delete(id)
    const isNew = current.files.filter(({ id }) => !known.has(id))
    return { ...current, seq, journal, files: [...files, ...isNew.map((file) => this.#begun.get(file.id) ?? file)] }
  }
}
