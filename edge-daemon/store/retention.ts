import { basename } from 'node:path'
import type { StoreStatus } from '../../protocol/status.ts'
import { RECORD_CLASSES, type RecordClass } from '../../protocol/subjects.ts'
import type { PlainRecord } from './commit.ts'
import { Compaction } from './compaction.ts'
import { type Disk, refusalOf } from './disk.ts'
import type { FrameReader } from './frame-reader.ts'
import { corruptEntry, type EvictedRange, evictedEntry, type LedgerEntry } from './ledger.ts'
import type { LogIndex, Segment } from './log-index.ts'
import { coveredBy } from './look-back.ts'
import type { Quarantine } from './quarantine.ts'
import type { Reserve } from './reserve.ts'
import { type Cell, type ClassLimits, type Merge, type MergeView, planEviction, planMerge } from './retention-plan.ts'
import type { Damage } from './scan.ts'
import { removeSegmentIndex } from './segment-index.ts'
import type { SegmentWriter } from './segment-writer.ts'
import type { TargetSet } from './targets.ts'

/** How often ages are looked at and small segments merged. */
const LOOK_EVERY_MS = 1000
/** Wait after the disk refused a step. */
const RETRY_MS = 1000
/** The growing segment is ended when it spans this part of the shortest age limit in it. */
const ROLL_AT_PART_OF_AGE = 2
/** Once over its size, the log is brought below it by this part of a segment, so that not every commit evicts. */
const RELIEF_PART = 4

/** What retention works on. */
export interface RetentionParts {
  readonly index: LogIndex
  readonly writer: SegmentWriter
  readonly reader: FrameReader
  readonly targets: TargetSet
  readonly reserve: Reserve
  readonly quarantine: Quarantine
  readonly disk: Disk
  readonly folder: string
  readonly maxBytes: number
  readonly floorBytes: number
  readonly segmentBytes: number
  readonly limits: ClassLimits
  readonly monotonicMs: () => number
  /** Last sequence given out. */
  readonly lastSeq: () => number
  /** Commit a ledger entry; false when the disk refuses. */
  readonly note: (entry: LedgerEntry) => boolean
  /** Put an entry into the ledger with the next commit. */
  readonly report: (entry: LedgerEntry) => void
}

interface Job {
  readonly sources: readonly Segment[]
  readonly going: ReadonlySet<RecordClass>
  /** What the ledger is to say; null when it does not have to. */
  entry: LedgerEntry | null
  /** Null when nothing of the sources stays and nothing stands before them: they are only removed. */
  readonly compaction: Compaction | null
}

/**
 * Keeps the log within its limits, a slice of work at a time. What is to go is decided by the planner; here it is copied,
 * noted in the ledger, switched and removed, in that order, so that a death between any two steps loses and doubles nothing.
 */
export class Retention {
  readonly #parts: RetentionParts
  /** Last result that a statistic covers. */
  #foldedSeq = 0
  readonly #evicted = new Map<RecordClass, number>()
  #job: Job | null = null
  /** Files whose place was taken and that could not be removed yet. */
  #leftovers: string[] = []
  #isRelieving = false
  /** What the log does not grow over. */
  #ceilingBytes = Number.POSITIVE_INFINITY
  /** What the log may hold while others fill the disk; null while nobody does. */
  #pressedBytes: number | null = null
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #waitUntilMs = Number.NEGATIVE_INFINITY
  #fault: string | null = null

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  /** Why the last removal failed; null when it did not. */
  get fault(): string | null {
    return this.#fault
  }

  /** Records that were evicted since the start. */
  get evictedRecords(): number {
    let sum = 0
    for (const count of this.#evicted.values()) sum += count
    return sum
  }

  /** What is kept by class, and the limits in force. */
  byClass(): NonNullable<StoreStatus['byClass']> {
    const { index, limits } = this.#parts
    return Object.fromEntries(
      RECORD_CLASSES.map((recordClass) => {
        const { maxBytes = null, maxAgeMs = null } = limits[recordClass] ?? {}
        const evicted = this.#evicted.get(recordClass) ?? 0
        return [recordClass, { ...index.totals.of(recordClass), maxBytes, maxAgeMs, evicted }]
      }),
    )
  }

  /** Statistics that were committed let the results that they cover go. */
  committed(records: readonly PlainRecord[]): void {
    const stat = records.findLast(({ class: recordClass }) => recordClass === 'stat')
    if (stat !== undefined) this.#foldedSeq = Math.max(this.#foldedSeq, coveredBy(stat.bodyJson))
  }

  /** Do one slice of what is to be done; true when there is more to do at once. Never throws on what the disk says. */
  step(): boolean {
    const nowMs = this.#parts.monotonicMs()
    if (nowMs < this.#waitUntilMs) return false
    try {
      this.#job ??= this.#nextJob(nowMs)
      if (this.#job === null) return false
      return this.#advance(this.#job)
    } catch (error) {
      this.#fault = `a segment cannot be rewritten or removed: ${refusalOf(error)}`
      this.#job?.compaction?.abandon()
      this.#job = null
      const isFull = isFullDisk(error) && this.pressed()
      if (!isFull) this.#waitUntilMs = nowMs + RETRY_MS
      return isFull
    }
  }

  /**
   * Do a slice; as many as free what came since the last call where the log is half a segment over its size. So it does not
   * grow further, and a commit waits for no more than its own bytes, however far over it the log is. True as {@link step}.
   */
  work(): boolean {
    const { index, maxBytes, segmentBytes } = this.#parts
    let more = this.step()
    while (more && index.bytes > this.#ceilingBytes) more = this.step()
    this.#ceilingBytes = Math.max(maxBytes + segmentBytes / 2, Math.min(this.#ceilingBytes, index.bytes))
    return more
  }

  /**
   * The disk is full: give up the reserve if this is what it is for, and take less of the disk from now on, down to the floor. True when room was
   * given up, so that it is worth trying again.
   */
  pressed(spends = true): boolean {
    const { index, reserve, floorBytes, segmentBytes } = this.#parts
    const wanted = Math.max(floorBytes, segmentBytes, index.bytes - 2 * segmentBytes)
    this.#pressedBytes = Math.min(this.#pressedBytes ?? wanted, wanted)
    return spends && reserve.spend()
  }

  /** Make the reserve again when there is room; true when there is more to write. */
  restore(): boolean {
    if (this.#job !== null) return false
    const more = this.#parts.reserve.restore()
    if (!more && this.#parts.reserve.state === 'kept') this.#pressedBytes = null
    return more
  }

  /** What an earlier run noted in the ledger and did not come to remove goes without a second note. */
  resume(ledger: readonly LedgerEntry[], foldedSeq: number): void {
    this.#foldedSeq = foldedSeq
    for (const { event, first_seq, last_seq, records } of ledger) {
      if (event !== 'evicted' || first_seq === null || last_seq === null) continue
      for (const segment of this.#parts.index.segments) {
        for (const { recordClass, firstSeq, lastSeq } of cellsOf(segment)) {
          const isNoted = recordClass in records && firstSeq >= first_seq && lastSeq <= last_seq
          if (isNoted) segment.noted.add(recordClass)
        }
      }
    }
  }

  /** Throw an unfinished copy away. */
  close(): void {
    this.#job?.compaction?.abandon()
    this.#job = null
    this.#parts.reserve.close()
  }

  #nextJob(nowMs: number): Job | null {
    this.#removeLeftovers()
    const looks = nowMs - this.#lookedAtMs >= LOOK_EVERY_MS
    if (!looks && !this.#isOver()) return null
    if (looks) this.#rollAged(nowMs)
    const job = this.#evictionJob(nowMs) ?? this.#frontJob() ?? (looks ? this.#mergeJob(nowMs) : null)
    if (job === null) this.#lookedAtMs = nowMs
    return job
  }

  #isOver(): boolean {
    const { index, limits } = this.#parts
    if (index.bytes > this.#totalLimit().maxBytes) return true
    for (const recordClass of RECORD_CLASSES) {
      const { maxBytes = null } = limits[recordClass] ?? {}
      if (maxBytes !== null && index.totals.of(recordClass).bytes > maxBytes) return true
    }
    return false
  }

  #totalLimit(): { maxBytes: number; reason: 'max_bytes' | 'disk_full' } {
    const { index, maxBytes, segmentBytes } = this.#parts
    const isPressed = this.#pressedBytes !== null && this.#pressedBytes < maxBytes
    const limit = isPressed ? (this.#pressedBytes ?? 0) : maxBytes
    if (index.bytes > limit) this.#isRelieving = true
    else if (index.bytes <= limit - segmentBytes / RELIEF_PART) this.#isRelieving = false
    return {
      maxBytes: this.#isRelieving && !isPressed ? limit - segmentBytes / RELIEF_PART : limit,
      reason: isPressed ? 'disk_full' : 'max_bytes',
    }
  }

  #evictionJob(nowMs: number): Job | null {
    const { limits, targets } = this.#parts
    const plan = planEviction({
      segments: this.#views(nowMs),
      limits,
      total: this.#totalLimit(),
      levels: { foldedSeq: this.#foldedSeq, heldSeq: (recordClass) => targets.heldSeq(recordClass) },
    })
    if (plan === null) return null
    const { segment, classes, reason } = plan
    return this.#makeJob({ first: segment, count: 1 }, classes, (sources) =>
      reason === null ? null : evictedEntry(rangeOf(sources, classes), reason),
    )
  }

  /** A rewritten segment that holds nothing any more and stands first. */
  #frontJob(): Job | null {
    const first = this.#parts.index.segments[0]
    const isEmpty = first !== undefined && first.throughSeq !== null && cellsOf(first).length === 0
    return isEmpty ? this.#makeJob({ first: 0, count: 1 }, new Set(), () => null) : null
  }

  #mergeJob(nowMs: number): Job | null {
    const { segmentBytes, limits } = this.#parts
    const merge = planMerge(this.#views(nowMs), { segmentBytes, limits })
    return merge === null ? null : this.#makeJob(merge, new Set(), () => null)
  }

  #makeJob(
    { first, count }: Merge,
    going: ReadonlySet<RecordClass>,
    entryOf: (sources: readonly Segment[]) => LedgerEntry | null,
  ): Job {
    const { index, writer, disk, folder, lastSeq } = this.#parts
    const onDamage = (segment: Segment, damage: Damage): void => this.#foundDamage(segment, damage)
    const { segments } = index
    // Segments of the same beginning cannot be told apart by their range: they go together.
    let begin = first
    let end = first + count
    while (begin > 0 && segments[begin - 1]?.startSeq === segments[begin]?.startSeq) begin -= 1
    while (end < segments.length && segments[end]?.startSeq === segments[end - 1]?.startSeq) end += 1
    const sources = segments.slice(begin, end)
    if (writer.active !== null && sources.includes(writer.active)) writer.roll()
    const staysNothing = sources.every((source) => cellsOf(source).every(({ recordClass }) => going.has(recordClass)))
    const order = { sources, going, throughSeq: (segments[end]?.startSeq ?? lastSeq() + 1) - 1 }
    const compaction = staysNothing && begin === 0 ? null : new Compaction(order, { folder, disk, onDamage })
    return { sources, going, entry: entryOf(sources), compaction }
  }

  /** Damage that was not there at the start: what is rewritten leaves it out, so its bytes are kept aside. */
  #foundDamage({ path }: Segment, damage: Damage): void {
    if (!this.#parts.quarantine.copy(path, damage)) return
    const segment = basename(path)
    this.#parts.report(corruptEntry({ ...damage, segment, afterSeq: null, beforeSeq: null }))
  }

  #advance(job: Job): boolean {
    const { note, index, reader, targets } = this.#parts
    if (job.compaction !== null && !job.compaction.isCopied && !job.compaction.step()) return true
    if (job.entry !== null) {
      if (!note(job.entry)) {
        this.#waitUntilMs = this.#parts.monotonicMs() + RETRY_MS / 4
        return false
      }
      job.entry = null
      for (const source of job.sources) for (const recordClass of job.going) source.noted.add(recordClass)
    }
    const rewritten = job.compaction?.finish() ?? null
    this.#job = null
    for (const source of job.sources) {
      for (const { recordClass, records } of cellsOf(source)) {
        if (!job.going.has(recordClass)) continue
        this.#evicted.set(recordClass, (this.#evicted.get(recordClass) ?? 0) + records)
      }
    }
    if (rewritten === null) for (const source of job.sources) index.remove(source)
    else index.replace(job.sources, rewritten)
    targets.recount()
    for (const { path } of job.sources) {
      reader.forget(path)
      this.#leftovers.push(path)
    }
    this.#removeLeftovers()
    return true
  }

  /** The old files go only when the new name is surely on the disk. */
  #removeLeftovers(): void {
    const { disk, folder } = this.#parts
    if (this.#leftovers.length === 0) return
    disk.syncFolder(folder)
    while (this.#leftovers.length > 0) {
      const path = this.#leftovers[0] ?? ''
      try {
        disk.unlink(path)
      } catch (error) {
        if (refusalOf(error) !== 'ENOENT') throw error
      }
      removeSegmentIndex(path)
      this.#leftovers.shift()
    }
    disk.syncFolder(folder)
    this.#fault = null
  }

  /** End the growing segment in time, so that what is short-lived in it can go. */
  #rollAged(nowMs: number): void {
    const { writer, limits } = this.#parts
    const { active } = writer
    if (active === null) return
    for (const recordClass of active.tables.keys()) {
      const { maxAgeMs = null } = limits[recordClass] ?? {}
      if (maxAgeMs !== null && nowMs - active.begunAtMs > maxAgeMs / ROLL_AT_PART_OF_AGE) {
        writer.roll()
        return
      }
    }
  }

  #views(nowMs: number): MergeView[] {
    const { index, writer } = this.#parts
    return index.segments.map((segment) => ({
      bytes: segment.bytes,
      ageMs: nowMs - segment.writtenAtMs,
      isActive: segment === writer.active,
      cells: cellsOf(segment),
      noted: segment.noted,
      begunAtMs: segment.begunAtMs,
      writtenAtMs: segment.writtenAtMs,
    }))
  }
}

function cellsOf({ tables }: Segment): Cell[] {
  const cells: Cell[] = []
  for (const [recordClass, table] of tables) {
    if (table.length === 0) continue
    cells.push({
      recordClass,
      records: table.records,
      bytes: table.frameBytes,
      firstSeq: table.at(0).firstSeq,
      lastSeq: table.at(table.length - 1).lastSeq,
    })
  }
  return cells
}

function rangeOf(segments: readonly Segment[], classes: ReadonlySet<RecordClass>): EvictedRange {
  const cells = segments.flatMap(cellsOf).filter(({ recordClass }) => classes.has(recordClass))
  const records: Partial<Record<RecordClass, number>> = {}
  for (const cell of cells) records[cell.recordClass] = (records[cell.recordClass] ?? 0) + cell.records
  return {
    records,
    firstSeq: Math.min(...cells.map(({ firstSeq }) => firstSeq)),
    lastSeq: Math.max(...cells.map(({ lastSeq }) => lastSeq)),
    bytes: cells.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** Whether the disk, or the share of it that we may use, has no room. */
export function isFullDisk(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(refusalOf(error))
}
