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
}

/** Frames of one commit, one a class, with the sequences `firstSeq` upwards in order of the records. */
export interface Commit {
  readonly frames: readonly EncodedFrame[]
  readonly firstSeq: number
  readonly lastSeq: number
}

interface Gathered {
  readonly lines: string[]
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
  const classes = new Map<RecordClass, Gathered>()
  let seq = firstSeq
  for (const record of records) {
    const { timestamp } = record
    const line = makeLine(seq, nodeJson, timestamp, record.bodyJson)
    const gathered = classes.get(record.class)
    if (gathered === undefined) {
      const begun = { lines: [line], firstSeq: seq, lastSeq: seq, minTime: timestamp, maxTime: timestamp }
      classes.set(record.class, begun)
    } else {
      gathered.lines.push(line)
      gathered.lastSeq = seq
      if (timestamp < gathered.minTime) gathered.minTime = timestamp
      if (timestamp > gathered.maxTime) gathered.maxTime = timestamp
    }
    seq += 1
  }
  let left = classes.size
  const frames = Array.from(classes, ([recordClass, { lines, ...range }]) => {
    left -= 1
    const content = { class: recordClass, epoch, ...range, records: lines.length, endsCommit: left === 0 }
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
