import type { RecordClass } from '../../protocol/subjects.ts'
import type { PlainRecord } from './commit.ts'

/** Characters from which on a text of bodies takes no more: who keeps one body of it keeps all. */
const TEXT_CHARS = 8192

/**
 * Records on their way between threads, in order: some texts and an array instead of an object and three values each, which
 * would cost more to hand over than everything else that is done with a log line in that thread.
 */
export interface PackedRecords {
  /** Classes, and how many records of each follow each other. */
  readonly classes: readonly (readonly [recordClass: RecordClass, records: number])[]
  /** Unix ms of each record. */
  readonly timestamps: Float64Array<ArrayBuffer>
  /** A JSON object for each record, several in a text with newlines between: without indentation JSON holds none itself. */
  readonly bodies: readonly string[]
}

/** Pack records whose classes, timestamps and bodies stand in lists of one length. */
export function packed(
  classes: readonly RecordClass[],
  timestamps: readonly number[],
  bodies: readonly string[],
): PackedRecords {
  const runs: [RecordClass, number][] = []
  let last: [RecordClass, number] | undefined
  for (const recordClass of classes) {
    if (last?.[0] === recordClass) last[1] += 1
    else {
      last = [recordClass, 1]
      runs.push(last)
    }
  }
  return { classes: runs, timestamps: Float64Array.from(timestamps), bodies: joined(bodies) }
}

function joined(bodies: readonly string[]): string[] {
  const texts: string[] = []
  let from = 0
  let chars = 0
  for (const [position, body] of bodies.entries()) {
    chars += body.length
    if (chars < TEXT_CHARS) continue
    texts.push(bodies.slice(from, position + 1).join('\n'))
    from = position + 1
    chars = 0
  }
  if (from < bodies.length) texts.push(bodies.slice(from).join('\n'))
  return texts
}

/** A record that came packed; whether it is tried again is told beside. */
export interface UnpackedRecord extends PlainRecord {
  isTriedAgain: boolean
}

/** The records of {@link packed}. @throws RangeError when its parts are of different lengths */
export function unpacked({ classes, timestamps, bodies }: PackedRecords): UnpackedRecord[] {
  const jsons = bodies.flatMap((text) => text.split('\n'))
  const records: UnpackedRecord[] = []
  for (const [recordClass, count] of classes) {
    for (const end = records.length + count; records.length < end; ) {
      const position = records.length
      const bodyJson = jsons[position]
      if (bodyJson === undefined) throw new RangeError('packed records miss a body')
      records.push({ class: recordClass, timestamp: timestamps[position] ?? 0, bodyJson, isTriedAgain: false })
    }
  }
  if (records.length !== jsons.length || records.length !== timestamps.length) {
    throw new RangeError('packed records are not as many as their parts')
  }
  return records
}
