import { join } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'
import { asStored, type Committed, encodeCommit, type PlainRecord } from './commit.ts'
import type { Chain, Fork, ForkReason } from './contract.ts'
import { type Disk, makeStoreFolder, refusalOf, syncFolders, unusable } from './disk.ts'
import { completed, type EngineOptions, type FullOptions } from './engine-options.ts'
import { freshEpoch, nextEpoch } from './epoch.ts'
import { ForkFile } from './fork-file.ts'
import { FrameReader } from './frame-reader.ts'
import { closeGaps, type Gap } from './gaps.ts'
import { checkKeys, encryptionOf, missingKeyEntries } from './key-use.ts'
import { corruptEntry, forkedEntry, type LedgerEntry, ledgerRecord, unsyncedEntry } from './ledger.ts'
import { type StoreLock, takeLock } from './lock.ts'
import type { LogIndex, Segment } from './log-index.ts'
import { lastFolded, recentLedger } from './look-back.ts'
import { Losses } from './losses.ts'
import { Quarantine } from './quarantine.ts'
import type { RangeSource } from './range-read.ts'
import { recoverLog } from './recover.ts'
import { Reserve } from './reserve.ts'
import { isFullDisk, Retention } from './retention.ts'
import { KeyRing, type StoreKeys } from './seal.ts'
import { dateSegments } from './segment-age.ts'
import { SegmentWriter } from './segment-writer.ts'
import { startFindings } from './start-findings.ts'
import { isUpstream, TargetSet } from './targets.ts'
import { UnsyncedMark } from './unsynced-mark.ts'
import { Watermark } from './watermark.ts'

export type { EngineOptions } from './engine-options.ts'

const PROBE_EVERY_MS = 250
/** A store that is far over its limits opens all the same, and goes on shrinking while it serves. */
const START_RETENTION_MS = 500

/** The log itself, synchronous; it runs in the store's worker. Inert after construction but for what it read. */
export class LogEngine {
  readonly #nodeJson: string
  readonly #maxBytes: number
  readonly #nowMs: () => number
  readonly #monotonicMs: () => number
  readonly #disk: Disk
  readonly #folder: string
  readonly #gaps: readonly Gap[]
  readonly #lock: StoreLock
  readonly #watermark: Watermark
  readonly #forks: ForkFile
  readonly #index: LogIndex
  readonly #writer: SegmentWriter
  readonly #ring: KeyRing
  readonly #reader: FrameReader
  /** The uplink targets: how far each has got, and what waits for it. */
  readonly targets: TargetSet
  readonly #reserve: Reserve
  readonly #retention: Retention
  #epoch: string
  #lastSeq: number
  /** Last sequence that is surely synced. */
  #syncedSeq: number
  readonly #durability: 'sync' | 'async'
  readonly #unsynced: UnsyncedMark
  #commits = 0
  /** Commits of the retention that were not handed out yet. */
  #retentionCommits: Extract<Committed, { ok: true }>[] = []
  #damagedBlocks: number
  readonly #pendingLedger: LedgerEntry[] = []
  readonly #losses = new Losses()
  #refusal: { error: string; triedAtMs: number } | null = null
  #fault: string | null = null

  private constructor(
    options: FullOptions,
    { lock, watermark, quarantine }: { lock: StoreLock; watermark: Watermark; quarantine: Quarantine },
  ) {
    const { dir, disk, monotonicMs } = options
    for (const name of ['forks', 'unsynced', 'reserve']) quarantine.file(join(dir, name))
    this.#forks = ForkFile.open(join(dir, 'forks'), disk)
    this.#disk = disk
    this.#folder = join(dir, 'segments')
    this.#nodeJson = JSON.stringify(options.nodeName)
    this.#maxBytes = options.maxBytes
    this.#nowMs = options.nowMs
    this.#monotonicMs = options.monotonicMs
    this.#lock = lock
    this.#watermark = watermark
    this.#durability = options.durability
    this.#unsynced = new UnsyncedMark(join(dir, 'unsynced'), disk)
    this.#ring = new KeyRing(options.keys)
    this.#reader = new FrameReader(this.#ring, (path, damage) => {
      if (quarantine.copy(path, damage)) this.#pendingLedger.push(corruptEntry(damage))
    })
    const recovered = recoverLog(dir, watermark.found?.lastSeq ?? 0, disk, quarantine)
    this.#index = recovered.index
    checkKeys(this.#index, this.#ring)
    this.targets = new TargetSet(
      { folder: join(dir, 'cursors'), disk, quarantine, awaited: options.awaited },
      this.#index,
      this.#reader.countable,
    )
    const segmentBytes = Math.min(options.segmentBytes, Math.ceil(options.maxBytes / 4))
    dateSegments(this.#index.segments, monotonicMs())
    const log = { folder: this.#folder, segmentBytes, disk, monotonicMs, index: this.#index }
    this.#writer = new SegmentWriter({ ...log, onUnsynced: (error) => this.#lostTail(error) })
    this.#writer.resume(this.#unsynced.isSet)
    this.#reserve = new Reserve({ path: join(dir, 'reserve'), sizeBytes: segmentBytes, disk, monotonicMs })
    this.#retention = new Retention({
      ...options,
      ...log,
      writer: this.#writer,
      reader: this.#reader,
      targets: this.targets,
      reserve: this.#reserve,
      quarantine,
      lastSeq: () => this.#lastSeq,
      note: (entry) => this.#noteEviction(entry),
      report: (entry) => this.#pendingLedger.push(entry),
    })
    // Whatever remembers a sequence keeps it from being used again.
    this.#lastSeq = Math.max(
      recovered.lastSeq,
      recovered.namedSeq,
      watermark.found?.lastSeq ?? 0,
      this.targets.highestCursor(),
    )
    this.#syncedSeq = this.#lastSeq
    const next = nextEpoch(recovered, watermark.found, this.#unsynced.tailIsUnsure)
    this.#epoch = next.epoch
    this.#gaps = recovered.gaps
    const read = { ledger: recentLedger(this.source()), targets: this.targets, forks: this.#forks }
    const findings = startFindings({ recovered, watermark, quarantine, ...read })
    this.#damagedBlocks = findings.damaged
    this.#pendingLedger.push(...findings.entries, ...next.entries)
    this.#noteMissingKeys()
  }

  /**
   * Take the lock, recover the log and write what that found into the ledger.
   * @throws EdgeError `STORE_LOCKED` | `STORE_UNUSABLE` | `STORE_KEY_WRONG` | `STORE_KEY_MISSING`.
   */
  static open(options: EngineOptions): LogEngine {
    const full = completed(options)
    makeStoreFolder(full.dir)
    const quarantine = new Quarantine(full.dir, full.disk)
    const lock = takeLock(full.dir, quarantine)
    let watermark: Watermark | undefined
    try {
      const path = join(full.dir, 'watermark')
      quarantine.file(path)
      watermark = Watermark.open(path, full.disk)
      const engine = new LogEngine(full, { lock, watermark, quarantine })
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
    const pending = this.#pendingLedger.length
    const entries = [...this.#pendingLedger, ...this.#losses.entries()]
    const written = this.#write(entries, records)
    if (!written.ok) return this.#refuse(records)
    // What came up while it was written is still to be told.
    this.#pendingLedger.splice(0, pending)
    this.#losses.told()
    return written
  }

  /**
   * Do a slice of what keeps the store within its limits and able to go on: `written` are the ledger records of it, `more`
   * says that the next slice can follow at once.
   */
  maintain(): { written: Extract<Committed, { ok: true }>[]; more: boolean; reserve: string } {
    const more = this.#retention.work()
    this.#runAhead()
    const restores = !more && this.#refusal === null && this.#retention.restore()
    return { written: this.#retentionCommits.splice(0), more: more || restores, reserve: this.#reserve.state }
  }

  /** Bring the store within its limits at once, as far as one gets in `forMs`. */
  enforceRetention(forMs = Number.POSITIVE_INFINITY): Extract<Committed, { ok: true }>[] {
    const untilMs = this.#monotonicMs() + forMs
    while (this.#retention.step() && this.#monotonicMs() < untilMs);
    return this.#retentionCommits.splice(0)
  }

  /** What reads read from, as of now. */
  source(): RangeSource {
    return { index: this.#index, reader: this.#reader, lastSeq: this.#lastSeq }
  }

  /** Move a cursor; null, or why it could not be saved (it has moved in memory all the same). */
  saveCursor(target: string, recordClass: UpstreamClass, seq: number): string | null {
    const cursor = Math.max(0, Math.min(seq, this.#lastSeq))
    return this.targets.save(target, recordClass, { ...this.targets.chainOf(target, recordClass), cursor })
  }

  /** Keep a chain; null, or why it could not be saved (in memory it is kept all the same). */
  saveChain(target: string, recordClass: UpstreamClass, chain: Chain): string | null {
    return this.targets.save(target, recordClass, { ...chain, cursor: Math.min(chain.cursor, this.#lastSeq) })
  }

  /** Oldest first. */
  get forks(): readonly Fork[] {
    return this.#forks.forks
  }

  /** Begin a new epoch with its ledger entry; what is not held by any target travels in it from now on. */
  beginEpoch(reason: ForkReason, msg: string): Committed {
    const previous = this.#epoch
    const fork = { alias: freshEpoch(), throughSeq: this.#lastSeq }
    this.#epoch = fork.alias
    const written = this.#write([forkedEntry(reason, { previous, msg })], [])
    if (!written.ok) {
      this.#epoch = previous
      return written
    }
    this.flush()
    try {
      this.#forks.add(fork)
    } catch (error) {
      // In force until the next start; then the targets are asked again, and the disk forks again.
      this.#fault = `a fork cannot be kept: ${refusalOf(error)}`
    }
    return written
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

  /** Whether answers are ahead of the disk. */
  get isUnsynced(): boolean {
    return this.#writer.isUnsynced
  }

  /** Sync what was answered before; what the disk refuses is noted in the ledger and told in the status. */
  flush(): void {
    this.#writer.flush()
    this.#syncedSeq = this.#lastSeq
  }

  /** Count records that never came here; the next commit puts them into the ledger. */
  noteLost(counts: Iterable<readonly [RecordClass, number]>): void {
    for (const [recordClass, count] of counts) this.#losses.add(recordClass, count)
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
      evictedRecords: this.#retention.evictedRecords,
      corruptBlocks: this.#damagedBlocks + this.#reader.damagedStretches,
      error: this.#refusal?.error ?? this.#fault ?? this.#retention.fault,
      reserve: this.#reserve.state,
      notStored: this.#losses.total,
      byClass: this.#retention.byClass(),
      durability: this.#durability,
      encryption: encryptionOf(this.#index, this.#ring),
    }
  }

  /** Tell the ledger what it does not know yet, sync what is not synced on each change, and release the lock. */
  close(): void {
    try {
      this.#retention.close()
      this.flush()
      if (this.#pendingLedger.length + this.#losses.entries().length > 0) this.commit([])
      this.#writer.close()
      this.#unsynced.clear()
      this.#reader.close()
      this.targets.close()
      this.#forks.close()
      this.#watermark.close()
    } finally {
      this.#lock.release()
    }
  }

  #lostTail(error: unknown): void {
    this.#fault = `the disk does not sync what was answered: ${refusalOf(error)}`
    this.#unsynced.stays()
    if (this.#lastSeq <= this.#syncedSeq) return
    this.#pendingLedger.push(unsyncedEntry(this.#syncedSeq + 1, this.#lastSeq, refusalOf(error)))
  }

  #noteMissingKeys(): void {
    this.#pendingLedger.push(...missingKeyEntries(this.#index, this.#ring, () => recentLedger(this.source())))
  }

  #settle(): void {
    this.#retention.resume(recentLedger(this.source()), lastFolded(this.source()))
    const isTold = this.#pendingLedger.length === 0 || this.commit([]).ok
    if (isTold) closeGaps(this.#folder, this.#gaps, this.#disk)
    if (isTold && this.#commits === 0 && this.#watermark.found === null) this.#mark()
    this.flush()
    // An unsure tail that could not be told of yet must be found again.
    if (isTold && this.#durability === 'sync') this.#unsynced.clear()
    this.#runAhead()
    this.enforceRetention(START_RETENTION_MS)
  }

  /** Let answers run ahead of the sync once the disk has word of it; until then each commit is synced. */
  #runAhead(): void {
    const isUntold = this.#unsynced.tailIsUnsure && this.#pendingLedger.length > 0
    if (this.#durability === 'async' && !isUntold) this.#writer.syncsEach = !this.#unsynced.set()
  }

  #noteEviction(entry: LedgerEntry): boolean {
    const outcome = this.#write([entry], [])
    // The ledger is on the disk before anything goes.
    if (!outcome.ok) return false
    this.flush()
    this.#retentionCommits.push(outcome)
    return true
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
      // Room that was set aside for what the ledger says of evictions, and for no records: try again with it.
      if (isFullDisk(error) && this.#retention.pressed(records.length === 0)) return this.#write(entries, records)
      this.#refusal = { error: `the disk refuses: ${refusalOf(error)}`, triedAtMs: this.#monotonicMs() }
      return { ok: false, code: 'STORE_FAILING', msg: this.#refusal.error }
    }
    this.#refusal = null
    this.#lastSeq = commit.lastSeq
    this.#commits += 1
    this.#retention.committed(records)
    for (const { header, frameBytes } of commit.frames) {
      const entered = this.#index.append(segment, header, frameBytes)
      if (isUpstream(header.class)) this.targets.added(header.class, entered)
    }
    this.#mark()
    return { ok: true, epoch: place.epoch, firstSeq: place.firstSeq, own: asStored(own, place) }
  }

  #mark(): void {
    try {
      this.#watermark.keep({ epoch: this.#epoch, lastSeq: this.#lastSeq })
      this.#fault = null
    } catch (error) {
      // The records are synced all the same; only a log that is cut later would go unnoticed.
      this.#fault = `the watermark cannot be written: ${refusalOf(error)}`
    }
  }

  #refuse(records: readonly PlainRecord[]): Extract<Committed, { ok: false }> {
    const msg = this.#refusal?.error ?? 'the disk refuses'
    this.#losses.refused(records, msg)
    return { ok: false, code: 'STORE_FAILING', msg }
  }
}
