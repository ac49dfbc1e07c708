import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Disk, nodeDisk } from './disk.ts'
import type { FrameHeader } from './frame.ts'
import { type Gap, GapFinder } from './gaps.ts'
import type { DamagedStretch } from './ledger.ts'
import { LogIndex, Segment } from './log-index.ts'
import { Quarantine } from './quarantine.ts'
import { type Damage, scanSegment } from './scan.ts'
import { PART_SUFFIX, segmentFiles } from './segment-files.ts'
import { readSegmentIndex, removeOtherIndexes, writeSegmentIndex } from './segment-index.ts'

/** A stretch of damaged bytes in the middle of the log. */
export interface DamageFound extends DamagedStretch {
  /** False when an earlier start set the same bytes aside and reported them. */
  readonly isNew: boolean
}

/** Where a log ends. */
interface LogEnd {
  /** Last sequence of the log; 0 when it is empty. */
  readonly lastSeq: number
  /** Epoch of the frame that holds it; null when the log is empty. */
  readonly epoch: string | null
}

/** What the segments of a store say. */
export interface Recovered extends LogEnd {
  readonly index: LogIndex
  readonly damages: readonly DamageFound[]
  /** Highest sequence that the name of a segment tells of, whatever has become of what it held. */
  readonly namedSeq: number
  /** Ranges between two segments for which there is no file. */
  readonly gaps: readonly Gap[]
}

/**
 * Rebuild the index: read the newest segment, and all others that have no index of their own to be believed. Never
 * fails on what the files hold: a torn tail that nobody was answered for is left out (the writer cuts it off), damaged bytes are copied to `quarantine/` and skipped. Frames that were written but never answered are left
 * out too where they would stand in the way: of a commit that is not whole, and behind the start of a later segment.
 * @param watermarkSeq last sequence that was answered, as far as the watermark knows.
 */
export function recoverLog(
  dir: string,
  watermarkSeq: number,
  disk: Disk = nodeDisk,
  quarantine = new Quarantine(dir, disk),
): Recovered {
  const folder = join(dir, 'segments')
  quarantine.folder(folder)
  const listed = segmentFiles(readdirSync(folder))
  for (const { name } of [...listed.log, ...listed.superseded]) quarantine.file(join(folder, name))
  const found = readdirSync(folder)
  const { log: names, superseded } = segmentFiles(found)
  // The rewritten segments are on the disk under their names before anything they were made of goes.
  if (superseded.length > 0 && isSynced(disk, folder))
    for (const { name } of superseded) removed(disk, join(folder, name))
  for (const name of found) if (name.endsWith(PART_SUFFIX)) removed(disk, join(folder, name))

  const segments: Segment[] = []
  const damages: DamageFound[] = []
  // Also what was set aside tells where the log began.
  const gaps = new GapFinder(Math.min(...listed.log.map(({ startSeq }) => startSeq)))
  let end: LogEnd = { lastSeq: 0, epoch: null }
  for (const [position, file] of names.entries()) {
    gaps.begins(file.startSeq)
    const isNewest = position === names.length - 1
    const beforeSeq = names[position + 1]?.startSeq ?? Number.POSITIVE_INFINITY
    const known = isNewest ? null : readSegmentIndex(join(folder, file.name), file)
    if (known?.end != null && known.end.lastSeq < beforeSeq) {
      segments.push(known)
      gaps.stands(file.throughSeq ?? known.end.lastSeq)
      if (known.end.lastSeq > end.lastSeq) end = known.end
      continue
    }
    const scan = new SegmentScan(new Segment(join(folder, file.name), file), end, {
      beforeSeq,
      // In a rewritten segment the frames that ended a commit may be gone.
      keepHalfFromSeq: isNewest && file.throughSeq === null ? watermarkSeq : Number.POSITIVE_INFINITY,
    })
    const { segment } = scan
    const sizeBytes = scan.run()
    end = scan.end
    const isCut = sizeBytes === 0 && !file.holdsNothing
    if (!isCut) gaps.stands(file.throughSeq ?? end.lastSeq)
    else if (file.throughSeq !== null) gaps.begins(file.throughSeq + 1)
    for (const damage of scan.damages) if (!isNewest) damage.beforeSeq ??= beforeSeq
    // The tail of the segment is damaged: that is said, and it is not a missing file as well.
    if (!isNewest && scan.damages.some(({ offset }) => offset >= segment.bytes)) gaps.stands(beforeSeq - 1)
    if (sizeBytes === 0 && !isNewest && file.throughSeq === null) {
      removed(disk, segment.path)
      continue
    }
    segments.push(segment)
    segment.isDamaged = scan.damages.length > 0
    if (!isNewest) writeSegmentIndex(segment)
    for (const damage of scan.damages) {
      const isTail = isNewest && damage.offset >= segment.bytes
      if (isTail && end.lastSeq >= watermarkSeq) continue
      if (isTail) segment.keepsTail = true
      const isNew = quarantine.copy(segment.path, damage)
      if (!isTail) damages.push({ ...damage, segment: file.name, isNew })
    }
  }
  removeOtherIndexes(dir, segments)
  const namedSeq = Math.max(0, ...names.map(({ startSeq, throughSeq }) => Math.max(startSeq - 1, throughSeq ?? 0)))
  return { index: new LogIndex(segments), ...end, damages, namedSeq, gaps: gaps.found }
}

function isSynced(disk: Disk, folder: string): boolean {
  try {
    disk.syncFolder(folder)
    return true
  } catch {
    return false
  }
}

/** Remove a file that is no part of the log; one that cannot be removed is left out all the same. */
function removed(disk: Disk, path: string): void {
  try {
    disk.unlink(path)
  } catch {
    // The next start tries again.
  }
}

interface PlacedFrame {
  readonly header: FrameHeader
  readonly offset: number
  readonly frameBytes: number
}

/** Reads one segment and keeps account of where the log ends. */
export class SegmentScan {
  readonly segment: Segment
  readonly damages: (Damage & { afterSeq: number | null; beforeSeq: number | null })[] = []
  readonly #beforeSeq: number
  readonly #keepHalfFromSeq: number
  #end: LogEnd
  /** Damages that lie before the frames that were entered. */
  #damagesPassed = 0
  /** Where the commit begins whose last frame has not come yet, what was known before it, and its frames so far. */
  #half: { offset: number; firstSeq: number; end: LogEnd; frames: PlacedFrame[] } | null = null

  constructor(segment: Segment, end: LogEnd, limits: { beforeSeq: number; keepHalfFromSeq: number }) {
    this.segment = segment
    this.#end = end
    this.#beforeSeq = limits.beforeSeq
    this.#keepHalfFromSeq = limits.keepHalfFromSeq
  }

  get end(): LogEnd {
    return this.#end
  }

  /** Returns the size of the file in bytes. */
  run(): number {
    const fd = openSync(this.segment.path, 'r')
    try {
      const sizeBytes = fstatSync(fd).size
      scanSegment(fd, sizeBytes, {
        frame: (header, offset, frameBytes) => this.#frame(header, offset, frameBytes),
        damage: (damage) => this.damages.push({ ...damage, afterSeq: this.#end.lastSeq || null, beforeSeq: null }),
      })
      this.#leaveOutHalfCommit()
      return sizeBytes
    } finally {
      closeSync(fd)
    }
  }

  #frame(header: FrameHeader, offset: number, frameBytes: number): void {
    if (header.firstSeq >= this.#beforeSeq) return
    const damage = this.damages.at(-1)
    if (damage !== undefined) damage.beforeSeq ??= header.firstSeq
    const frame = { header, offset, frameBytes }
    const isWholeCommit = this.#half === null && header.endsCommit
    if (!isWholeCommit) {
      this.#half ??= { offset, firstSeq: header.firstSeq, end: this.#end, frames: [] }
      this.#half.frames.push(frame)
    }
    if (header.lastSeq > this.#end.lastSeq) this.#end = { lastSeq: header.lastSeq, epoch: header.epoch }
    this.segment.bytes = offset + frameBytes
    if (isWholeCommit) this.#enter(frame)
    else if (header.endsCommit) this.#enterHalf()
  }

  /** Enter the frames that were read since the last commit ended; what is entered cannot be taken out again. */
  #enterHalf(): void {
    for (const frame of this.#half?.frames ?? []) this.#enter(frame)
    this.#half = null
  }

  #enter({ header, offset, frameBytes }: PlacedFrame): void {
    while ((this.damages[this.#damagesPassed]?.offset ?? Number.POSITIVE_INFINITY) < offset) {
      this.segment.breakExtents(offset)
      this.#damagesPassed += 1
    }
    this.segment.add(header, offset, frameBytes)
  }

  /** A commit is whole when its last frame says so; one that was answered stays, whatever is left of it. */
  #leaveOutHalfCommit(): void {
    const half = this.#half
    if (half === null) return
    if (this.#keepHalfFromSeq >= half.firstSeq) {
      this.#enterHalf()
      return
    }
    this.segment.bytes = half.offset
    this.#end = half.end
  }
}
