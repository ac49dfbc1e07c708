import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { FrameHeader } from './frame.ts'
import { LogIndex, Segment } from './log-index.ts'
import { type Damage, scanSegment } from './scan.ts'
import { parseSegmentName } from './segment-writer.ts'

/** A stretch of damaged bytes in the middle of the log. */
export interface DamageFound extends Damage {
  readonly segment: string
  /** Sequences around it: the last before and the first behind; null at an end of the log. */
  readonly afterSeq: number | null
  readonly beforeSeq: number | null
  /** False when an earlier start set the same bytes aside and reported them. */
  readonly isNew: boolean
}

/** What the segments of a store say. */
export interface Recovered {
  readonly index: LogIndex
  /** Last sequence of the log; 0 when it is empty. */
  readonly lastSeq: number
  /** Epoch of the frame that holds it; null when the log is empty. */
  readonly epoch: string | null
  readonly damages: readonly DamageFound[]
  /** Sealed frames, which cannot be read without their key. */
  readonly sealedFrames: number
}

interface Scanned {
  readonly segment: Segment
  readonly damages: Damage[]
  /** Frames in order of their place; the sequence range of each. */
  readonly seams: { offset: number; end: number; header: FrameHeader }[]
  readonly sizeBytes: number
}

/**
 * Read all segments and rebuild the index. Never fails on what the files hold: a torn tail is left out (the writer cuts
 * it off), damaged bytes are copied to `quarantine/` and skipped. Frames that were written but never answered are left
 * out too where they would stand in the way: of a commit that is not whole, and behind the start of a later segment.
 * @param watermarkSeq last sequence that was answered, as far as the watermark knows.
 */
export function recoverLog(dir: string, watermarkSeq: number): Recovered {
  const folder = join(dir, 'segments')
  const quarantine = join(dir, 'quarantine')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const names = readdirSync(folder)
    .flatMap((name) => {
      const parsed = parseSegmentName(name)
      return parsed === null ? [] : [{ name, ...parsed }]
    })
    .sort((a, b) => a.startSeq - b.startSeq || a.generation - b.generation)

  const segments: Segment[] = []
  const damages: DamageFound[] = []
  let lastSeq = 0
  let epoch: string | null = null
  let sealedFrames = 0
  for (const [position, file] of names.entries()) {
    const isNewest = position === names.length - 1
    const startOfNext = names[position + 1]?.startSeq ?? Number.POSITIVE_INFINITY
    const scanned = scan(join(folder, file.name), file, (header) => header.firstSeq < startOfNext)
    if (isNewest) leaveOutHalfCommit(scanned, watermarkSeq)
    const before = lastSeq
    for (const { header } of scanned.seams) {
      if (header.keyId !== 0) sealedFrames += 1
      if (header.lastSeq <= lastSeq) continue
      lastSeq = header.lastSeq
      epoch = header.epoch
    }
    if (scanned.seams.length === 0 && scanned.sizeBytes === 0 && !isNewest) {
      unlinkSync(scanned.segment.path)
      continue
    }
    segments.push(scanned.segment)
    for (const damage of scanned.damages) {
      const isTail = isNewest && damage.offset >= scanned.segment.bytes
      if (isTail && lastSeq >= watermarkSeq) continue
      const isNew = setAside(scanned.segment.path, quarantine, damage)
      if (!isTail) damages.push({ ...around(scanned, damage, before), ...damage, segment: file.name, isNew })
    }
  }
  return { index: new LogIndex(segments), lastSeq, epoch, damages, sealedFrames }
}

function scan(
  path: string,
  file: { startSeq: number; generation: number },
  belongs: (header: FrameHeader) => boolean,
): Scanned {
  const segment = new Segment(path, file.startSeq, file.generation)
  const seams: Scanned['seams'] = []
  const fd = openSync(path, 'r')
  try {
    const sizeBytes = fstatSync(fd).size
    const damages = scanSegment(fd, sizeBytes, (header, offset, frameBytes) => {
      if (!belongs(header)) return
      if (header.keyId === 0) segment.add(header, offset, frameBytes)
      seams.push({ offset, end: offset + frameBytes, header })
      segment.bytes = offset + frameBytes
    })
    return { segment, damages, seams, sizeBytes }
  } finally {
    closeSync(fd)
  }
}

/** A commit is whole when its last frame says so; one that was answered stays, whatever is left of it. */
function leaveOutHalfCommit(scanned: Scanned, watermarkSeq: number): void {
  const { segment, seams } = scanned
  const lastWhole = seams.findLastIndex(({ header }) => header.endsCommit)
  const half = seams.slice(lastWhole + 1)
  const begin = half[0]
  if (begin === undefined || half.some(({ header }) => header.firstSeq <= watermarkSeq)) return
  segment.dropFrom(begin.offset)
  segment.bytes = begin.offset
  seams.length = lastWhole + 1
}

function around(
  scanned: Scanned,
  damage: Damage,
  before: number,
): { afterSeq: number | null; beforeSeq: number | null } {
  let afterSeq = before === 0 ? null : before
  let beforeSeq: number | null = null
  for (const { offset, header } of scanned.seams) {
    if (offset < damage.offset) afterSeq = Math.max(afterSeq ?? 0, header.lastSeq)
    else beforeSeq = Math.min(beforeSeq ?? Number.POSITIVE_INFINITY, header.firstSeq)
  }
  return { afterSeq, beforeSeq }
}

/** Copy damaged bytes to the quarantine, once; false when they are there already. A full disk keeps them in place only. */
function setAside(path: string, quarantine: string, damage: Damage): boolean {
  const target = join(quarantine, `${basename(path)}-${damage.offset}-${damage.bytes}.bad`)
  if (existsSync(target)) return false
  try {
    mkdirSync(quarantine, { recursive: true, mode: 0o700 })
    const bytes = Buffer.alloc(damage.bytes)
    const fd = openSync(path, 'r')
    try {
      readSync(fd, bytes, 0, damage.bytes, damage.offset)
    } finally {
      closeSync(fd)
    }
    writeFileSync(target, bytes, { mode: 0o600 })
  } catch {
    return true
  }
  return true
}
