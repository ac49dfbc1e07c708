import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { CloudRange } from './cloud-range.ts'

/** A record of the node in a form that two copies share exactly when they say the same. */
export interface KeptRecord {
  readonly seq: number
  readonly timestamp: number
  readonly said: string
}

/** What one class came to; sequences are the node's. */
export interface ClassComparison {
  readonly recordClass: UpstreamClass
  /** Records that the node keeps of the range; null when it was not asked. */
  readonly onNode: number | null
  /** Records that the regions hold together. */
  readonly inCloud: number
  /** Records by region, copies included. */
  readonly byRegion: Readonly<Record<string, number>>
  /** Kept by the node, held nowhere, and not waiting. */
  readonly missing: readonly number[]
  /** Kept by the node and not yet acknowledged by any target. */
  readonly waiting: number
  /** More than once on the live subject of one region, though the node was sure that it was not there. */
  readonly twice: readonly number[]
  /** Held with another content than the node keeps, or differently in two places. */
  readonly altered: readonly number[]
  /** Held, and no more on the node. */
  readonly onlyInCloud: number
  /** Breaks in the chain of blocks that no ledger record explains, as `(after, through]`. */
  readonly gaps: readonly { readonly afterSeq: number; readonly throughSeq: number }[]
}

/** What is compared for one class. */
export interface ComparedClass {
  readonly recordClass: UpstreamClass
  /** Null when the node was not asked. */
  readonly kept: readonly KeptRecord[] | null
  /** Whether a record may still be on its way, by what the node knows of its targets. */
  readonly isWaiting: (record: KeptRecord) => boolean
  /** What a line of the cloud says, to be compared with {@link KeptRecord.said}; null when it is no record of the class. */
  readonly saidBy: (line: string) => string | null
}

/** Whether everything of a class is there exactly once, as far as can be seen. */
export function isSound({ missing, twice, altered, gaps }: ClassComparison): boolean {
  return missing.length + twice.length + altered.length + gaps.length === 0
}

/**
 * Compare what a node keeps of a class with what the regions hold together. A record counts as held when any epoch holds
 * one of its sequence that says the same: a disk that was cloned sends some of its records under a new epoch.
 */
export function compareClass(
  cloud: CloudRange,
  { recordClass, kept, isWaiting, saidBy }: ComparedClass,
): ClassComparison {
  const held = new Map<number, string[]>()
  const byRegion: Record<string, number> = Object.fromEntries(cloud.regions.map(({ name }) => [name, 0]))
  let inCloud = 0
  for (const record of cloud.records) {
    if (record.recordClass !== recordClass) continue
    inCloud += 1
    for (const region of record.regions) byRegion[region] = (byRegion[region] ?? 0) + 1
    const said = saidBy(record.line) ?? record.line
    const copies = held.get(record.seq)
    if (copies === undefined) held.set(record.seq, [said])
    else copies.push(said)
  }
  const missing: number[] = []
  const altered = new Set(cloud.conflicts.filter((other) => other.recordClass === recordClass).map(({ seq }) => seq))
  let waiting = 0
  let both = 0
  for (const record of kept ?? []) {
    const copies = held.get(record.seq)
    if (copies?.includes(record.said)) both += 1
    else if (copies !== undefined) altered.add(record.seq)
    else if (isWaiting(record)) waiting += 1
    else missing.push(record.seq)
  }
  return {
    recordClass,
    onNode: kept === null ? null : kept.length,
    inCloud,
    byRegion,
    missing,
    waiting,
    twice: cloud.twice.filter((copy) => copy.recordClass === recordClass).map(({ seq }) => seq),
    altered: [...altered].sort((a, b) => a - b),
    onlyInCloud: kept === null ? 0 : inCloud - both,
    gaps: cloud.gaps
      .filter((gap) => gap.recordClass === recordClass && gap.explainedBy === null)
      .map(({ afterSeq, throughSeq }) => ({ afterSeq, throughSeq })),
  }
}
