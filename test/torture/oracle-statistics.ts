import type { Evidence, NodeCopy } from './evidence.ts'
import { type Excuse, type Findings, type Held, isAbnormal } from './oracle.ts'

/** A statistic as far as it says what it covers. */
interface Range {
  /** Of the statistic itself. */
  readonly seq: number
  readonly first: number
  readonly last: number
  readonly count: number
  /** Epoch of the results it counts. */
  readonly epoch: string
}

/** Judge that statistics tile the results of each epoch, count them rightly and leave no acknowledged normal one out. */
export function judgeStatistics(evidence: Evidence, held: readonly Held[], excuse: Excuse, findings: Findings): void {
  const tiles = tilesOf(held, evidence.licence.clones === true)
  for (const { node, epoch, ranges } of tiles.values()) {
    judgeTiling(ranges, { node, epoch, excuse, findings })
    const copies = evidence.nodes.filter((copy) => copy.node === node)
    if (copies.length === 1 && evidence.licence.clones !== true) {
      judgeCounts(ranges, { epoch, copy: copies[0] as NodeCopy, excuse, findings })
    }
  }
  const groups = groupsByEpoch(tiles, held)
  for (const { node, epoch, seq, code } of evidence.acks) {
    if (isAbnormal({ code })) continue
    const covering = (groups.get(`${node} ${epoch}`) ?? []).flatMap(({ ranges }) =>
      ranges.filter(({ first, last }) => seq >= first && seq <= last),
    )
    if (covering.length === 1 || (covering.length > 1 && evidence.licence.clones === true)) continue
    const isFoldedAgain = covering.length > 1 && covering.some((stat) => excuse(node, stat.seq))
    if (isFoldedAgain || (covering.length === 0 && excuse(node, seq))) {
      findings.excused += 1
      continue
    }
    const msg = `normal result ${seq} of ${epoch} is counted in ${covering.length} statistics`
    findings.violations.push({ rule: 'statistic', node, msg })
  }
}

interface Tiles {
  readonly node: string
  readonly epoch: string
  readonly ranges: Range[]
}

/**
 * Statistics by node and the epoch whose results they count, in order. Where a disk was forked, both disks count results
 * of one epoch: there the epoch that a block travels in tells them apart.
 */
function tilesOf(held: readonly Held[], isForked: boolean): Map<string, Tiles> {
  const tiles = new Map<string, Tiles>()
  for (const { block, body } of held) {
    if (block.kind !== 'stats') continue
    const epoch = typeof body.epoch === 'string' ? body.epoch : block.epoch
    const lineage = isForked ? block.epoch : epoch
    const key = `${block.node} ${lineage}`
    const group = tiles.get(key) ?? { node: block.node, epoch: lineage, ranges: [] }
    tiles.set(key, group)
    group.ranges.push({
      seq: body.seq as number,
      first: body.first_seq as number,
      last: body.last_seq as number,
      count: body.count as number,
      epoch,
    })
  }
  for (const { ranges } of tiles.values()) ranges.sort((a, b) => a.first - b.first || a.seq - b.seq)
  return tiles
}

/** Tiles that may count the results of an epoch: its own, and those of epochs in which a forked disk's records travelled. */
function groupsByEpoch(tiles: ReadonlyMap<string, Tiles>, held: readonly Held[]): Map<string, Tiles[]> {
  const groups = new Map<string, Tiles[]>()
  const enter = (key: string, tile: Tiles): void => {
    const there = groups.get(key) ?? []
    groups.set(key, there.includes(tile) ? there : [...there, tile])
  }
  for (const tile of tiles.values()) {
    for (const epoch of [tile.epoch, ...tile.ranges.map((range) => range.epoch)]) enter(`${tile.node} ${epoch}`, tile)
  }
  for (const { block } of held) {
    if (block.originEpoch === null || block.originEpoch === block.epoch) continue
    for (const tile of groups.get(`${block.node} ${block.epoch}`) ?? [])
      enter(`${block.node} ${block.originEpoch}`, tile)
  }
  return groups
}

function judgeTiling(
  ranges: readonly Range[],
  { node, epoch, excuse, findings }: { node: string; epoch: string; excuse: Excuse; findings: Findings },
): void {
  for (const [index, { first, last, epoch: epochOf }] of ranges.entries()) {
    const before = ranges[index - 1]
    if (before === undefined || first === before.last + 1) continue
    // The first statistic of an epoch begins with its first result.
    if (epochOf !== before.epoch && first > before.last) continue
    // A statistic that was lost on the node is folded again from the results that were not.
    const isExcused =
      first > before.last ? excuse(node, before.last + 1) || excuse(node, first - 1) : excuse(node, before.seq)
    if (isExcused) continue
    const what = first <= before.last ? 'overlap' : 'leave a hole'
    const msg = `statistics of ${epoch} ${what}: ${before.first}–${before.last}, then ${first}–${last}`
    findings.violations.push({ rule: 'statistic', node, msg })
  }
}

/** A statistic's count is that of the normal results in its range, as the node itself keeps them. */
function judgeCounts(
  ranges: readonly Range[],
  { epoch, copy, excuse, findings }: { epoch: string; copy: NodeCopy; excuse: Excuse; findings: Findings },
): void {
  const seqs = copy.results
    .filter(({ reason, over_rate }) => reason === undefined || over_rate === true)
    .map(({ seq }) => seq as number)
    .sort((a, b) => a - b)
  const below = (limit: number): number => {
    let [low, high] = [0, seqs.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((seqs[middle] as number) < limit) low = middle + 1
      else high = middle
    }
    return low
  }
  for (const { first, last, count } of ranges) {
    const kept = below(last + 1) - below(first)
    if (kept === count || (kept < count && isTouched({ first, last }, copy.node, excuse))) continue
    const msg = `the statistic ${first}–${last} of ${epoch} counts ${count} results, the node keeps ${kept} there`
    findings.violations.push({ rule: 'statistic', node: copy.node, msg })
  }
}

/** Whether the ledger accounts for any sequence of a range. */
function isTouched({ first, last }: { first: number; last: number }, node: string, excuse: Excuse): boolean {
  for (let seq = first; seq <= last; seq += 1) if (excuse(node, seq)) return true
  return false
}
