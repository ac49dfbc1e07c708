import type { RecordClass } from '../../protocol/subjects.ts'
import type { PlacedClass, PlacedSegment } from '../store/places-contract.ts'
import type { SearchGap, Unseen } from './contract.ts'

type Part = Pick<PlacedClass, 'totalRecords' | 'records' | 'minTime' | 'maxTime'>

/**
 * What of a log was still to be looked at when its places were last told, so that what is evicted meanwhile is noticed. A
 * segment goes as a whole or loses whole classes, by being rewritten under another name: what has gone and what has come
 * are compared by class, to the record.
 */
export class PlacesSeen {
  #parts: ReadonlyMap<string, readonly [recordClass: RecordClass, part: Part]> | null = null

  /** Take the places as they are now; returns what has gone from the range since the last time. */
  compare(segments: readonly PlacedSegment[]): SearchGap[] {
    const now = new Map<string, readonly [RecordClass, Part]>()
    for (const { path, classes } of segments) {
      for (const part of classes) now.set(keyOf(path, part.class), [part.class, part])
    }
    const before = this.#parts
    this.#parts = now
    if (before === null) return []
    const gone = [...before].filter(([key]) => !now.has(key)).map(([, part]) => part)
    const came = [...now].filter(([key]) => !before.has(key)).map(([, part]) => part)
    return [...new Set(gone.map(([recordClass]) => recordClass))].flatMap((recordClass) => {
      const parts = partsOf(gone, recordClass)
      const evicted = total(parts) - total(partsOf(came, recordClass))
      const unseen = unseenOf(parts)
      const missed = Math.min(evicted, unseen.missed)
      return missed > 0 ? [{ ...unseen, reason: 'evicted' as const, missed }] : []
    })
  }

  /** What is left to be looked at of a class in a segment; null for nothing. */
  left(path: string, recordClass: RecordClass, rest: Omit<Part, 'totalRecords'> | null): void {
    const key = keyOf(path, recordClass)
    const parts = new Map(this.#parts ?? [])
    const part = parts.get(key)?.[1]
    if (part === undefined || rest === null) parts.delete(key)
    else parts.set(key, [recordClass, { ...rest, totalRecords: part.totalRecords }])
    this.#parts = parts
  }

  /** All that is left; null for nothing. */
  get unseen(): Unseen | null {
    const parts = Array.from(this.#parts?.values() ?? [], ([, part]) => part)
    return parts.length === 0 ? null : unseenOf(parts)
  }
}

function unseenOf(parts: readonly Part[]): Unseen {
  return {
    missed: parts.reduce((sum, { records }) => sum + records, 0),
    fromMs: Math.min(...parts.map(({ minTime }) => minTime)),
    toMs: Math.max(...parts.map(({ maxTime }) => maxTime)),
  }
}

function keyOf(path: string, recordClass: RecordClass): string {
  return `${recordClass} ${path}`
}

function partsOf(parts: readonly (readonly [RecordClass, Part])[], wanted: RecordClass): Part[] {
  return parts.filter(([recordClass]) => recordClass === wanted).map(([, part]) => part)
}

function total(parts: readonly Part[]): number {
  return parts.reduce((sum, { totalRecords }) => sum + totalRecords, 0)
}
