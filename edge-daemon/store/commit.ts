import type { ErrorCode } from '../../protocol/errors.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { StoredRecord } from './contract.ts'
import { type EncodedFrame, encodeFrame } from './frame.ts'
import { makeLine } from './line.ts'
import type { Sealer } from './seal.ts'

/** A record before it has its sequence; `bodyJson` is a JSON object, `timestamp` Unix ms. */
export interface PlainRecord {
  readonly class: RecordClass
  readonly timestamp: number
  readonly bodyJson: string
  /** @see NewRecord.isTriedAgain */
  readonly isTriedAgain?: boolean | undefined
}

/** Frames of one commit, one a class or more where it holds much of a class, with the sequences `firstSeq` upwards in order of the records. */
export interface Commit {
  readonly frames: readonly EncodedFrame[]
  readonly firstSeq: number
  readonly lastSeq: number
}

/** Outcome of a commit: `own` are the ledger records that the store put before the given ones. */
export type Committed =
  | { readonly ok: true; readonly epoch: string; readonly firstSeq: number; readonly own: readonly StoredRecord[] }
  | { readonly ok: false; readonly code: ErrorCode; readonly msg: string }

/** Characters of lines from which on a frame takes no more: what one damaged block costs, and what one record costs to read. */
const FRAME_CHARS = 256 * 1024

interface Gathered {
  readonly class: RecordClass
  readonly lines: string[]
  chars: number
  readonly firstSeq: number
  lastSeq: number
  minTime: number
  maxTime: number
}

/** Give records their sequences and encode them, sealed where there is a sealer. `nodeJson` is the quoted node name; there is at least one record. */
export function encodeCommit(
  records: readonly PlainRecord[],
  place: { epoch: string; firstSeq: number; nodeJson: string; sealer?: Sealer | null },
): Commit {
  const { epoch, firstSeq, nodeJson, sealer = null } = place
  const open = new Map<RecordClass, Gathered>()
  const all: Gathered[] = []
  let seq = firstSeq
  for (const record of records) {
    const { timestamp } = record
    const line = makeLine(seq, nodeJson, timestamp, record.bodyJson)
    const gathered = open.get(record.class)
    if (gathered === undefined || gathered.chars >= FRAME_CHARS) {
      const range = { firstSeq: seq, lastSeq: seq, minTime: timestamp, maxTime: timestamp }
      const begun = { class: record.class, lines: [line], chars: line.length, ...range }
      open.set(record.class, begun)
      all.push(begun)
    } else {
      gathered.lines.push(line)
      gathered.chars += line.length
      gathered.lastSeq = seq
      if (timestamp < gathered.minTime) gathered.minTime = timestamp
      if (timestamp > gathered.maxTime) gathered.maxTime = timestamp
    }
    seq += 1
  }
  const last = all.at(-1)
  const frames = all.map((gathered) => {
    const { lines, chars: _, ...range } = gathered
    const content = { ...range, epoch, records: lines.length, endsCommit: gathered === last }
    return encodeFrame(content, Buffer.from(`${lines.join('\n')}\n`, 'utf8'), sealer)
  })
  return { frames, firstSeq, lastSeq: seq - 1 }
}

/** The records of a commit as listeners get them. */
export function asStored(
  records: readonly PlainRecord[],
  { epoch, firstSeq, nodeJson }: { epoch: string; firstSeq: number; nodeJson: string },
): StoredRecord[] {
  return records.map((record, position) => {
    const seq = firstSeq + position
    const line = makeLine(seq, nodeJson, record.timestamp, record.bodyJson)
    return { class: record.class, seq, epoch, timestamp: record.timestamp, line }
  })
}
