import { matchesGlob } from 'node:path'
import { messageOf } from '../../../protocol/errors.ts'
import type { LogLevel } from '../../../protocol/records.ts'
import { Redactor } from '../lines/redact.ts'
import { Allowance } from './allowance.ts'
import type { FileState } from './checkpoint.ts'
import { type Batch, Collector } from './collector.ts'
import type { FollowerStart, FollowNotice, FollowStatus, SourceFault } from './contract.ts'
import { factsOfKey, isGone } from './file-place.ts'
import type { FollowedFile } from './followed-file.ts'
import type { Joined } from './joiner.ts'
import { Positions } from './positions.ts'
import { LineReader } from './reader.ts'
import { type Pattern, patternsOf, scan } from './scan.ts'
import { Series, type SeriesParts } from './series.ts'

/** What a {@link Follower} tells and asks. */
export interface FollowerParts {
  readonly send: (batch: Batch) => void
  readonly notice: (notice: FollowNotice) => void
  readonly clock?: { wallMs(): number; monotonicMs(): number }
}

/** How often known paths are looked at, and how often new ones are looked for. */
const LOOK_MS = 250
const SCAN_MS = 2000
/** A pause while there is nothing to read, or nothing may be. */
const PAUSE_MS = 50
/** A record of several lines is over when nothing follows for so long. */
const GROUP_MS = 1000
/** How long a line of a rotated file that has not ended waits for its end. */
const OPEN_LINE_MS = 2000
/** Bytes of a file before the next has its turn. */
const TURN_BYTES = 256 * 1024
/** How long one stretch of work may take before others have theirs. */
const STRETCH_MS = 20
/** Descriptors that stay open for files that say nothing. */
const MAX_OPEN = 256
const SYSTEM_CLOCK = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

/** Follows files: finds them, reads on where the store has not got them yet, waits where it may not read more. */
export class Follower {
  readonly #start: FollowerStart
  readonly #parts: FollowerParts
  readonly #clock: { wallMs(): number; monotonicMs(): number }
  readonly #patterns: readonly Pattern[]
  readonly #series = new Map<string, Series>()
  readonly #collector: Collector
  readonly #redactor: Redactor
  readonly #reader: LineReader
  readonly #positions: Positions
  readonly #allowance: Allowance
  readonly #buffer = Buffer.allocUnsafe(TURN_BYTES)
  readonly #faults = new Map<string, SourceFault>()
  /** What the patterns found when it was last looked. */
  #paths: readonly string[] = []
  #scannedAtMs = Number.NEGATIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #turn = 0
  #bytes = 0
  #lostBytes = 0
  #behindSince: number | null = null

  constructor(start: FollowerStart, parts: FollowerParts) {
    this.#start = start
    this.#parts = parts
    this.#clock = parts.clock ?? SYSTEM_CLOCK
    const { settings, checkpoint } = start
    this.#patterns = patternsOf(settings)
    this.#collector = new Collector(parts.send, checkpoint?.seq ?? 0)
    this.#redactor = new Redactor(settings.redact)
    this.#reader = new LineReader(settings, {
      collector: this.#collector,
      redactor: this.#redactor,
      forwardBefore: (checkpoint?.forward as LogLevel | 'none' | undefined) ?? settings.forward,
      wallMs: this.#clock.wallMs,
    })
    this.#positions = new Positions({ start, collector: this.#collector, monotonicMs: this.#clock.monotonicMs })
    this.#allowance = new Allowance(settings.bytesPerSec, this.#clock.monotonicMs())
  }

  /** The parts that the journal's lines go through as well. */
  get collector(): Collector {
    return this.#collector
  }

  get reader(): LineReader {
    return this.#reader
  }

  get positions(): Positions {
    return this.#positions
  }

  /** Take up the files that were followed, and look for new ones. @throws the file system's error when nothing can be written down. */
  begin(): void {
    const now = this.#clock.monotonicMs()
    const states = this.#start.checkpoint?.files ?? []
    const byPath = Map.groupBy(states, ({ series }) => series)
    for (const { pattern, path } of this.#scan()) this.#restore(pattern, path, byPath, now)
    // A file that is gone has no path that a pattern could find.
    for (const path of byPath.keys()) {
      const pattern = this.#patterns.find(({ glob }) => matchesGlob(path, glob))
      if (pattern !== undefined && !this.#series.has(path)) this.#restore(pattern, path, byPath, now)
    }
    this.#look(now, true)
    this.#positions.save(this.#files())
  }

  /** Work for a short while. Returns ms until there is something to do again; 0 when there is more. */
  work(): number {
    const began = this.#clock.monotonicMs()
    if (began - this.#lookedAtMs >= LOOK_MS) this.#look(began, false)
    let isMore = this.#collector.hasRoom
    while (isMore && this.#clock.monotonicMs() - began < STRETCH_MS) isMore = this.#round()
    this.#collector.flush()
    this.#positions.saveInTime(this.#files())
    if (isMore && this.#collector.hasRoom) return 0
    return PAUSE_MS
  }

  /** The store keeps a batch. */
  kept(number: number, seq: number): void {
    this.#collector.kept(number, seq)
  }

  /** Write down now how far everything is kept. @throws the file system's error. */
  savePositions(): void {
    this.#positions.save(this.#files())
  }

  /** Write down how far everything is kept, and let go. */
  end(): void {
    this.#positions.save(this.#files())
    for (const series of this.#series.values()) series.close()
  }

  status(): FollowStatus {
    const files = this.#files()
    const lagBytes = files.reduce((sum, file) => sum + file.lagBytes, 0)
    if (lagBytes <= this.#start.settings.bytesPerSec) this.#behindSince = null
    else this.#behindSince ??= this.#clock.wallMs()
    return {
      files: files.length,
      lagBytes,
      behindSince: this.#behindSince,
      lines: this.#reader.lines,
      bytes: this.#bytes,
      redacted: this.#redactor.count,
      lostBytes: this.#lostBytes,
      faults: [...this.#faults.values()],
    }
  }

  #files(): FollowedFile[] {
    return [...this.#series.values()].flatMap(({ files }) => files)
  }

  #restore(pattern: Pattern, path: string, byPath: ReadonlyMap<string, readonly FileState[]>, now: number): void {
    const states = byPath.get(path)
    if (states === undefined) return
    const series = new Series(pattern.optionsOf(path), this.#seriesParts, now)
    this.#series.set(path, series)
    series.restore(states, now)
  }

  #scan(): ReturnType<typeof scan>['found'] {
    this.#scannedAtMs = this.#clock.monotonicMs()
    const { found, over } = scan(this.#patterns)
    this.#paths = found.map(({ path }) => path)
    if (over > 0) this.#faults.set('scan', { what: 'logs.files', msg: `${over} files more than can be followed` })
    else this.#faults.delete('scan')
    return found
  }

  /** Look at what is at every path; for new paths too when it is time. */
  #look(now: number, isFirst: boolean): void {
    this.#lookedAtMs = now
    const wasKnown = new Set(this.#start.checkpoint?.patterns ?? [])
    if (isFirst || now - this.#scannedAtMs >= SCAN_MS) {
      for (const { pattern, path } of this.#scan()) {
        if (this.#series.has(path)) continue
        const series = new Series(pattern.optionsOf(path), this.#seriesParts, now)
        const from = isFirst && !wasKnown.has(pattern.glob) ? this.#start.settings.from : 'start'
        this.#guarded(path, 'look', () => series.look(now, from))
        if (series.current !== null) this.#series.set(path, series)
      }
      for (const [path, series] of this.#series) {
        this.#guarded(path, 'tidy', () => series.tidy(now))
        if (series.isOver(now)) this.#series.delete(path)
      }
      this.#closeIdle(now)
    }
    for (const [path, series] of this.#series) this.#guarded(path, 'look', () => series.look(now))
    this.#positions.saveNew(this.#files())
  }

  /** Let every series read once. Returns whether one of them has more. */
  #round(): boolean {
    const all = [...this.#series.values()]
    let isMore = false
    for (let n = 0; n < all.length; n += 1) {
      if (!this.#collector.hasRoom) return false
      const left = this.#allowance.left(this.#clock.monotonicMs())
      if (left <= 0) return false
      this.#turn = (this.#turn + 1) % all.length
      const series = all[this.#turn] as Series
      if (this.#guarded(series.path, 'read', () => this.#readOn(series, left)) === true) isMore = true
    }
    return isMore
  }

  /** Read on in the file of a series whose turn it is. Returns whether it has more. */
  #readOn(series: Series, left: number): boolean {
    const file = series.next
    if (file === null) return false
    const now = this.#clock.monotonicMs()
    const isRotated = series.hasSuccessor(file)
    if (!isRotated && !file.isDue && !this.#isOver(file, now)) return false
    const take = (line: Joined): void => this.#reader.take(file, series, line)
    const buffer = left < TURN_BYTES ? this.#buffer.subarray(0, Math.max(4096, Math.floor(left))) : this.#buffer
    const outcome = file.read(buffer, take, (bytes) => series.isFirst(file, bytes, now))
    if (outcome.state === 'read') {
      this.#bytes += outcome.bytes
      this.#allowance.take(outcome.bytes)
      file.grewAtMs = now
      this.#collector.resumeAt(file, file.resume)
      return true
    }
    const endAll = (): void => {
      file.endAll(take)
      this.#collector.resumeAt(file, file.resume)
    }
    if (outcome.state === 'preceded') {
      this.#positions.saveNew(this.#files())
      return true
    }
    if (outcome.state === 'moved') {
      series.vanished(file, endAll)
      return true
    }
    if (outcome.state === 'changed') {
      series.changed(file, now, endAll)
      this.#positions.saveNew(this.#files())
      return true
    }
    if (isRotated) {
      const isOpen = file.hasOpenLine || file.resume.end < file.position
      if (isOpen && now - file.grewAtMs < OPEN_LINE_MS) return false
      endAll()
      series.finish(file)
      return true
    }
    if (this.#isOver(file, now)) {
      file.endGroups(take)
      this.#collector.resumeAt(file, file.resume)
    }
    return false
  }

  #isOver(file: FollowedFile, now: number): boolean {
    return file.hasGroup && now - file.grewAtMs >= GROUP_MS
  }

  /** Do something with a series; what the file system refuses is told as a fault, and tried again at the next look. */
  #guarded<T>(path: string, what: 'look' | 'tidy' | 'read', act: () => T): T | null {
    const key = `${what} ${path}`
    try {
      const result = act()
      this.#faults.delete(key)
      return result
    } catch (error) {
      const series = this.#series.get(path)
      const file = series?.next ?? null
      if (isGone(error) && series !== undefined && file !== null) {
        const take = (line: Joined): void => this.#reader.take(file, series, line)
        series.vanished(file, () => file.endAll(take))
        return null
      }
      this.#faults.set(key, { what: path, msg: (error as NodeJS.ErrnoException).code ?? messageOf(error) })
      return null
    }
  }

  /** Bound the descriptors: files that said nothing for longest are closed, and opened again when they grow. */
  #closeIdle(now: number): void {
    const open = this.#files().filter((file) => file.isOpen)
    const idle = open
      .filter((file) => file.lagBytes === 0 && now - file.grewAtMs > SCAN_MS)
      .sort((a, b) => a.grewAtMs - b.grewAtMs)
    for (const file of idle.slice(0, Math.max(0, open.length - MAX_OPEN))) file.close()
  }

  readonly #seriesParts: SeriesParts = {
    known: (key) => this.#files().find((file) => file.key === key) ?? null,
    elsewhere: (key) => factsOfKey(key, this.#paths),
    onNew: (file) => this.#positions.isNew(file),
    onGone: (file) => {
      this.#series.get(file.series)?.drop(file)
      this.#positions.leaves(file)
      this.#reader.forget(file)
    },
    onLost: (file, bytes, upTo, why) => {
      if (bytes === 0) return
      this.#lostBytes += bytes
      this.#reader.lost(file, this.#series.get(file.series)?.source ?? file.series, { bytes, upTo, why })
      this.#parts.notice({
        level: 'warn',
        event: 'logs.lost',
        msg: `${bytes} bytes of ${file.path} were not read: ${why}`,
      })
    },
  }
}
