import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EdgeError, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'
import { asStored, encodeCommit, type PlainRecord } from './commit.ts'
import type { Backlog, Chain, Chains, Fork, ForkReason, StoredRecord } from './contract.ts'
import { type Disk, nodeDisk, refusalOf, syncFolders } from './disk.ts'
import { freshEpoch, nextEpoch } from './epoch.ts'
import { ForkFile } from './fork-file.ts'
import { FrameReader } from './frame-reader.ts'
import { isLostWhenRefused } from './incoming.ts'
import { checkKeys, encryptionOf, missingKeyEntries } from './key-use.ts'
import {
  corruptEntry,
  cursorEntry,
  evictedEntry,
  forkedEntry,
  type LedgerEntry,
  ledgerRecord,
  notStoredEntry,
} from './ledger.ts'
import { type StoreLock, takeLock } from './lock.ts'
import type { Located, LogIndex, Segment } from './log-index.ts'
import { type RangeSource, readRange } from './range-read.ts'
import { recoverLog } from './recover.ts'
import { KeyRing, type StoreKeys } from './seal.ts'
import { SegmentWriter } from './segment-writer.ts'
import { isUpstream, TargetSet } from './targets.ts'
import { Watermark } from './watermark.ts'

const PROBE_EVERY_MS = 250
const LEDGER_LOOK_BACK = 64

/** How an engine is opened; the sizes are in bytes. */
export interface EngineOptions {
  readonly dir: string
  readonly nodeName: string
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly keys?: StoreKeys | null
  readonly disk?: Disk
  /** Unix ms. */
  readonly nowMs?: () => number
  /** Milliseconds that never go back. */
  readonly monotonicMs?: () => number
}

/** Outcome of a commit: `own` are the ledger records that the store put before the given ones. */
export type Committed =
  | { readonly ok: true; readonly epoch: string; readonly firstSeq: number; readonly own: readonly StoredRecord[] }
  | { readonly ok: false; readonly code: ErrorCode; readonly msg: string }

/** The log itself, synchronous; it runs in the store's worker. Inert after construction but for what it read. */
export class LogEngine {
  readonly #nodeJson: string
  readonly #maxBytes: number
  readonly #disk: Disk
  readonly #nowMs: () => number
  readonly #monotonicMs: () => number
  readonly #lock: StoreLock
  readonly #watermark: Watermark
  readonly #forks: ForkFile
  readonly #index: LogIndex
  readonly #writer: SegmentWriter
  readonly #ring: KeyRing
  readonly #reader: FrameReader
  readonly #targets: TargetSet
  #epoch: string
  #epochIsOnDisk: boolean
  #lastSeq: number
  #commits = 0
  #evictedRecords = 0
  #damagedBlocks: number
  #pendingLedger: LedgerEntry[] = []
  readonly #notStored = new Map<RecordClass, number>()
  #refusal: { error: string; triedAtMs: number } | null = null
  #fault: string | null = null

  private constructor(options: Required<EngineOptions>, lock: StoreLock, watermark: Watermark) {
    this.#forks = ForkFile.open(join(options.dir, 'forks'))
    this.#nodeJson = JSON.stringify(options.nodeName)
    this.#maxBytes = options.maxBytes
    this.#disk = options.disk
    this.#nowMs = options.nowMs
    this.#monotonicMs = options.monotonicMs
    this.#lock = lock
    this.#watermark = watermark
    this.#ring = new KeyRing(options.keys)
    this.#reader = new FrameReader(this.#ring)
    const recovered = recoverLog(options.dir, watermark.found?.lastSeq ?? 0)
    this.#index = recovered.index
    checkKeys(this.#index, this.#ring)
    this.#damagedBlocks = recovered.damages.length
    this.#targets = new TargetSet(join(options.dir, 'cursors'), this.#index, (place, recordClass, afterSeq) =>
      this.#countable(place, recordClass, afterSeq),
    )
    this.#writer = new SegmentWriter({
      folder: join(options.dir, 'segments'),
      segmentBytes: Math.min(options.segmentBytes, Math.ceil(options.maxBytes / 4)),
      disk: options.disk,
      index: this.#index,
    })
    this.#writer.resume()
    // Whatever remembers a sequence keeps it from being used again.
    this.#lastSeq = Math.max(recovered.lastSeq, watermark.found?.lastSeq ?? 0, this.#targets.highestCursor())
    const next = nextEpoch(recovered, watermark.found)
    this.#epoch = next.epoch
    this.#epochIsOnDisk = watermark.found !== null && next.entries.length === 0
    for (const damage of recovered.damages) if (damage.isNew) this.#pendingLedger.push(corruptEntry(damage))
    for (const { target, recordClass, seq } of this.#targets.damaged) {
      this.#pendingLedger.push(cursorEntry(target, recordClass, seq))
    }
    this.#pendingLedger.push(...next.entries)
    this.#noteMissingKeys()
  }

  /**
   * Take the lock, recover the log and write what that found into the ledger.
   * @throws EdgeError `STORE_LOCKED` | `STORE_UNUSABLE` | `STORE_KEY_WRONG` | `STORE_KEY_MISSING`.
   */
  static open(options: EngineOptions): LogEngine {
    const full = { keys: null, disk: nodeDisk, nowMs: Date.now, monotonicMs: () => performance.now(), ...options }
    try {
      mkdirSync(full.dir, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw unusable(full.dir, error)
    }
    const lock = takeLock(join(full.dir, 'lock.db'))
    let watermark: Watermark | undefined
    try {
      watermark = Watermark.open(join(full.dir, 'watermark'))
      const engine = new LogEngine(full, lock, watermark)
      syncFolders(full.disk, full.dir)
      engine.#settle()
      return engine
    } catch (error) {
      watermark?.close()
      lock.release()
      throw error instanceof EdgeError ? error : unusable(full.dir, error)
    }
  }

  get epoch(): string {
    return this.#epoch
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  /** Write records as one commit: one write, one sync, the watermark. Never throws on what the disk says. */
  commit(records: readonly PlainRecord[]): Committed {
    const nowMs = this.#monotonicMs()
    if (this.#refusal !== null && nowMs - this.#refusal.triedAtMs < PROBE_EVERY_MS) return this.#refuse(records)
    const entries = [...this.#pendingLedger]
    if (this.#notStored.size > 0) entries.push(notStoredEntry(this.#notStored, this.#refusal?.error ?? null))
    const written = this.#write(entries, records)
    if (!written.ok) return this.#refuse(records)
    this.#pendingLedger = []
    this.#notStored.clear()
    return written
  }

  /** While the store is over its size, note the oldest segment in the ledger, sync, and remove it. */
  enforceRetention(): Extract<Committed, { ok: true }>[] {
    const written: Extract<Committed, { ok: true }>[] = []
    while (this.#index.bytes > this.#maxBytes && this.#refusal === null) {
      const oldest = this.#index.segments[0]
      if (oldest === undefined) break
      if (oldest === this.#writer.active) this.#writer.roll()
      if (!oldest.evictionNoted) {
        const outcome = this.#write([evictedEntry({ ...oldest.summary(), bytes: oldest.bytes })], [])
        if (!outcome.ok) break
        oldest.evictionNoted = true
        written.push(outcome)
      }
      if (!this.#remove(oldest)) break
    }
    return written
  }

  /** What reads read from, as of now. */
  source(): RangeSource {
    return { index: this.#index, reader: this.#reader, lastSeq: this.#lastSeq }
  }

  /** Move a cursor; null, or why it could not be saved (it has moved in memory all the same). */
  saveCursor(target: string, recordClass: UpstreamClass, seq: number): string | null {
    const cursor = Math.max(0, Math.min(seq, this.#lastSeq))
    return this.#targets.save(target, recordClass, { ...this.#targets.chainOf(target, recordClass), cursor })
  }

  /** Keep a chain; null, or why it could not be saved (in memory it is kept all the same). */
  saveChain(target: string, recordClass: UpstreamClass, chain: Chain): string | null {
    return this.#targets.save(target, recordClass, { ...chain, cursor: Math.min(chain.cursor, this.#lastSeq) })
  }

  /** Chains by target. */
  chains(): Record<string, Chains> {
    return this.#targets.chains()
  }

  /** Oldest first. */
  get forks(): readonly Fork[] {
    return this.#forks.forks
  }

  /** Begin a new epoch with its ledger entry; what is not held by any target travels in it from now on. */
  beginEpoch(reason: ForkReason, msg: string): Committed {
    const epochs = { old: this.#epoch, wasOnDisk: this.#epochIsOnDisk }
    const fork = { alias: freshEpoch(), throughSeq: this.#lastSeq }
    this.#epoch = fork.alias
    this.#epochIsOnDisk = false
    const written = this.#write([forkedEntry(reason, { previous: epochs.old, msg })], [])
    if (!written.ok) {
      this.#epoch = epochs.old
      this.#epochIsOnDisk = epochs.wasOnDisk
      return written
    }
    try {
      this.#forks.add(fork)
    } catch (error) {
      // In force until the next start; then the targets are asked again, and the disk forks again.
      this.#fault = `a fork cannot be kept: ${refusalOf(error)}`
    }
    return written
  }

  /** Backlogs by target; under `''` that of a target that never acknowledged anything. */
  backlogs(): Record<string, Backlog> {
    return this.#targets.backlogs()
  }

  /**
   * Go on with other keys; what the ledger has to say of it goes with the next commit.
   * @throws EdgeError `STORE_KEY_WRONG` | `STORE_KEY_MISSING`, with the keys as they were.
   */
  changeKeys(keys: StoreKeys): void {
    checkKeys(this.#index, new KeyRing(keys))
    this.#ring.replace(keys)
    this.#noteMissingKeys()
  }

  /** Count records that never came here; the next commit puts them into the ledger. */
  noteLost(counts: Iterable<readonly [RecordClass, number]>): void {
    for (const [recordClass, count] of counts) {
      this.#notStored.set(recordClass, (this.#notStored.get(recordClass) ?? 0) + count)
    }
  }

  status(): StoreStatus {
    return {
      state: this.#refusal === null ? 'ok' : 'failing',
      epoch: this.#epoch,
      firstSeq: this.#index.firstSeq() ?? 0,
      lastSeq: this.#lastSeq,
      records: this.#index.records,
      bytes: this.#index.bytes,
      maxBytes: this.#maxBytes,
      segments: this.#index.segments.length,
      commits: this.#commits,
      evictedRecords: this.#evictedRecords,
      corruptBlocks: this.#damagedBlocks + this.#reader.damagedStretches,
      error: this.#refusal?.error ?? this.#fault,
      encryption: encryptionOf(this.#index, this.#ring),
    }
  }

  /** Sync what is not synced on each change, and release the lock. */
  close(): void {
    try {
      this.#writer.close()
      this.#reader.close()
      this.#targets.close()
      this.#forks.close()
      this.#watermark.close()
    } finally {
      this.#lock.release()
    }
  }

  #noteMissingKeys(): void {
    this.#pendingLedger.push(...missingKeyEntries(this.#index, this.#ring, () => this.#recentLedger()))
  }

  #recentLedger(): LedgerEntry[] {
    const request = { classes: ['ledger'] as const, limit: LEDGER_LOOK_BACK, newestFirst: true }
    return [...readRange(this.source(), request)].flatMap((record) =>
      record === null ? [] : [JSON.parse(record.line)],
    )
  }

  /** For backlogs, which only count: an extent that cannot be read must not stop a commit. */
  #countable(place: Located, recordClass: RecordClass, afterSeq: number): readonly StoredRecord[] {
    try {
      return this.#reader.records(place, recordClass, { afterSeq })
    } catch {
      return []
    }
  }

  #settle(): void {
    this.#finishEvictions()
    if (this.#pendingLedger.length > 0) this.commit([])
    else if (this.#watermark.found === null) this.#watermark.writeThrough({ epoch: this.#epoch, lastSeq: 0 })
    this.enforceRetention()
  }

  /** A segment that an earlier run noted in the ledger and did not come to remove goes without a second note. */
  #finishEvictions(): void {
    const noted = new Set<number>()
    for (const { event, last_seq } of this.#recentLedger()) {
      if (event === 'evicted' && last_seq !== null) noted.add(last_seq)
    }
    for (const segment of [...this.#index.segments]) {
      const { lastSeq } = segment.summary()
      if (lastSeq === null || !noted.has(lastSeq) || segment === this.#writer.active) return
      segment.evictionNoted = true
      if (!this.#remove(segment)) return
    }
  }

  #write(entries: readonly LedgerEntry[], records: readonly PlainRecord[]): Committed {
    const nowMs = this.#nowMs()
    const own = entries.map((entry) => ledgerRecord(entry, nowMs))
    const place = { epoch: this.#epoch, firstSeq: this.#lastSeq + 1, nodeJson: this.#nodeJson }
    const commit = encodeCommit([...own, ...records], { ...place, sealer: this.#ring.sealer })
    let segment: Segment
    try {
      segment = this.#writer.append(
        commit.frames.flatMap(({ buffers }) => buffers),
        commit.firstSeq,
      )
    } catch (error) {
      this.#refusal = { error: `the disk refuses: ${refusalOf(error)}`, triedAtMs: this.#monotonicMs() }
      return { ok: false, code: 'STORE_FAILING', msg: this.#refusal.error }
    }
    this.#refusal = null
    this.#lastSeq = commit.lastSeq
    this.#commits += 1
    for (const { header, frameBytes } of commit.frames) {
      const entered = this.#index.append(segment, header, frameBytes)
      if (isUpstream(header.class)) this.#targets.added(header.class, entered)
    }
    this.#mark()
    return { ok: true, epoch: place.epoch, firstSeq: place.firstSeq, own: asStored(own, place) }
  }

  #mark(): void {
    const mark = { epoch: this.#epoch, lastSeq: this.#lastSeq }
    try {
      if (this.#epochIsOnDisk) this.#watermark.write(mark)
      else this.#watermark.writeThrough(mark)
      this.#epochIsOnDisk = true
      this.#fault = null
    } catch (error) {
      // The records are synced all the same; only a log that is cut later would go unnoticed.
      this.#fault = `the watermark cannot be written: ${refusalOf(error)}`
    }
  }

  #refuse(records: readonly PlainRecord[]): Extract<Committed, { ok: false }> {
    for (const { class: lost } of records) {
      if (isLostWhenRefused(lost)) this.#notStored.set(lost, (this.#notStored.get(lost) ?? 0) + 1)
    }
    return { ok: false, code: 'STORE_FAILING', msg: this.#refusal?.error ?? 'the disk refuses' }
  }

  #remove(segment: Segment): boolean {
    // While the index still knows its extents.
    const dropped = this.#targets.waitingIn(segment)
    try {
      this.#disk.unlink(segment.path)
      this.#disk.syncFolder(dirname(segment.path))
    } catch (error) {
      // Gone already, by a removal whose sync failed: the folder is synced again with the next segment.
      if (refusalOf(error) !== 'ENOENT') {
        this.#fault = `a segment cannot be removed: ${refusalOf(error)}`
        return false
      }
    }
    for (const count of Object.values(segment.summary().records)) this.#evictedRecords += count
    this.#index.remove(segment)
    dropped()
    this.#reader.forget(segment.path)
    return true
  }
}

function unusable(dir: string, error: unknown): EdgeError {
  return new EdgeError('STORE_UNUSABLE', {
    message: `the store in ${dir} cannot be used: ${messageOf(error)}`,
    next: ['check that the folder may be written by this user and that its disk has space'],
    cause: error,
  })
}
