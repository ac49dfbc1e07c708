import { describe, expect, it } from 'vitest'
import type { CloudBlock, CloudRecord } from '../../../src/cloud/block.ts'
import { type Merged, merge } from '../../../src/cloud/merge.ts'
import { cloudBlock, cloudRecord } from '../../support/cloud-blocks.ts'
import { seededRandom } from '../../support/random.ts'

const seqsOf = (merged: Merged) => merged.records.map((record) => record.seq)
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => cloudRecord(first + n))

describe('what several regions hold together', () => {
  it('is every record once, however its blocks were cut, and says which regions hold it', () => {
    const merged = merge([
      cloudBlock(range(1, 6)),
      cloudBlock(range(1, 4), { region: 'west' }),
      cloudBlock(range(5, 9), { region: 'west', prevSeq: 4 }),
      cloudBlock(range(2, 3), { region: 'west', resent: true }),
    ])
    expect(seqsOf(merged)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(merged.records.map(({ regions }) => regions.join())).toEqual([
      ...Array.from({ length: 6 }, () => 'east,west'),
      'west',
      'west',
      'west',
    ])
    expect(merged.copies).toEqual({ twice: 0, flagged: 0, acrossRegions: 6, resent: 2, reborn: 0 })
    expect([merged.conflicts, merged.gaps, merged.twice]).toEqual([[], [], []])
  })

  it('tells what is twice on a live subject from what the node itself doubted', () => {
    const merged = merge([
      cloudBlock(range(1, 3), { position: 1 }),
      cloudBlock(range(3, 4), { position: 2 }),
      cloudBlock(range(1, 2), { position: 3, maybeDuplicate: true }),
    ])
    expect(seqsOf(merged)).toEqual([1, 2, 3, 4])
    expect(merged.copies).toMatchObject({ twice: 1, flagged: 2 })
    expect(merged.twice).toEqual([
      { site: 'plant', node: 'n1', epoch: 'e1', seq: 3, recordClass: 'abnormal', region: 'east', position: 2 },
    ])
  })

  it('notes two records that claim one sequence, and keeps the same one whatever comes first', () => {
    const blocks = [
      cloudBlock([cloudRecord(1, { code: 500 })], { region: 'west', position: 4 }),
      cloudBlock([cloudRecord(1)], { position: 7 }),
    ]
    for (const order of [blocks, blocks.toReversed()]) {
      const merged = merge(order)
      expect(merged.records.map(({ line }) => line)).toEqual([cloudRecord(1).line])
      expect(merged.conflicts).toMatchObject([
        { seq: 1, kept: { region: 'east', position: 7 }, other: { region: 'west', position: 4 } },
      ])
    }
  })

  it('keeps nodes, sites and epochs apart', () => {
    const merged = merge([
      cloudBlock([cloudRecord(1)]),
      cloudBlock([cloudRecord(1, { code: 500 })], { epoch: 'e2' }),
      cloudBlock([cloudRecord(1, { code: 501 })], { site: 'mine' }),
    ])
    expect(merged.records).toHaveLength(3)
    expect(merged.conflicts).toEqual([])
  })

  it('drops what a forked disk sent under its new epoch only where the identical record is held under the old one', () => {
    const forked = { epoch: 'e2', originEpoch: 'e1', maybeDuplicate: true }
    const merged = merge([
      cloudBlock([cloudRecord(1), cloudRecord(2)]),
      cloudBlock([cloudRecord(2), cloudRecord(3), cloudRecord(4, { code: 500 })], forked),
      cloudBlock([cloudRecord(4)]),
      // Restored once more from the same state.
      cloudBlock([cloudRecord(3)], { ...forked, epoch: 'e3' }),
    ])
    expect(merged.records.map(({ epoch, seq, line }) => `${epoch}/${seq} ${JSON.parse(line).code}`)).toEqual([
      'e1/1 200',
      'e1/2 200',
      'e2/3 200',
      'e1/4 200',
      'e2/4 500',
    ])
    expect(merged.copies.reborn).toBe(2)
    expect(merged.conflicts).toEqual([])
  })

  it('finds what is missing by the chain of blocks, and lets the ledger explain it', () => {
    const eviction = {
      event: 'evicted',
      reason: 'max_bytes',
      first_seq: 1,
      last_seq: 14,
      records: { abnormal: 3 },
      bytes: 9,
      msg: 'oldest segment removed',
    }
    const blocks = [
      cloudBlock(range(5, 9), { prevSeq: 4 }),
      cloudBlock(range(20, 22), { prevSeq: 12 }),
      cloudBlock(range(30, 31), { prevSeq: 25 }),
      cloudBlock([cloudRecord(15, eviction)], { recordClass: 'ledger', prevSeq: 0 }),
    ]
    const gaps = merge(blocks).gaps
    expect(gaps).toMatchObject([
      { recordClass: 'abnormal', epoch: 'e1', afterSeq: 9, throughSeq: 12, explainedBy: { reason: 'max_bytes' } },
      { recordClass: 'abnormal', epoch: 'e1', afterSeq: 22, throughSeq: 25, explainedBy: null },
    ])
    expect(merge(blocks, { fromStart: true }).gaps[0]).toMatchObject({ afterSeq: 0, throughSeq: 4 })
    expect(merge([...blocks, cloudBlock(range(23, 25), { resent: true })]).gaps).toHaveLength(1)
  })
})

/** A node's records of one class, cut into blocks anew for every region, some of which never came there. */
function scatter(random: () => number) {
  const pick = (n: number) => Math.floor(random() * n)
  let seq = 0
  const truth: CloudRecord[] = Array.from({ length: 20 + pick(60) }, () => {
    seq += 1 + pick(3)
    return cloudRecord(seq, { code: pick(600) })
  })
  const blocks: CloudBlock[] = []
  for (const region of ['east', 'west', 'north'].slice(0, 1 + pick(3))) {
    let prevSeq = 0
    for (let from = 0; from < truth.length; ) {
      const records = truth.slice(from, from + 1 + pick(8))
      from += records.length
      const block = cloudBlock(records, { region, prevSeq, position: blocks.length + 1 })
      prevSeq = block.lastSeq
      if (random() < 0.8) blocks.push(block)
      if (random() < 0.1) blocks.push({ ...block, maybeDuplicate: true, position: blocks.length + 1 })
      if (random() < 0.1) blocks.push({ ...block, resent: true, prevSeq: null, position: blocks.length + 1 })
    }
  }
  return { truth, blocks }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

describe('the law of the merge, over 300 scatterings', () => {
  const cases = Array.from({ length: 300 }, (_, seed) => ({ seed, random: seededRandom(seed) }))

  it('the union comes out, each record once, in whatever order its blocks come, and again when all come again', () => {
    for (const { seed, random } of cases) {
      const { truth, blocks } = scatter(random)
      const held = new Set(blocks.flatMap(({ records }) => records.map((record) => record.seq)))
      const merged = merge(blocks)
      expect({ seed, lines: merged.records.map(({ line }) => line) }).toEqual({
        seed,
        lines: truth.filter((record) => held.has(record.seq)).map(({ line }) => line),
      })
      expect(merge(shuffled(blocks, random))).toEqual(merged)
      const again = merge([...blocks, ...blocks])
      expect(again.records).toEqual(merged.records)
      expect(again.gaps).toEqual(merged.gaps)
    }
  })

  it('every copy is accounted for', () => {
    for (const { seed, random } of cases) {
      const { blocks } = scatter(random)
      const merged = merge(blocks)
      const copies = Object.values(merged.copies).reduce((sum, count) => sum + count, 0)
      const total = blocks.reduce((sum, { records }) => sum + records.length, 0)
      expect({ seed, total: merged.records.length + copies }).toEqual({ seed, total })
    }
  })

  it('every record that is missing between two that are held lies in a gap, and no gap holds one that is there', () => {
    for (const { seed, random } of cases) {
      const { truth, blocks: all } = scatter(random)
      // What was sent again stands in no chain: what is missing right before it cannot be told.
      const blocks = all.filter((block) => !block.resent)
      const { records, gaps } = merge(blocks)
      const held = new Set(records.map((record) => record.seq))
      const inGap = (seq: number) => gaps.some((gap) => gap.afterSeq < seq && seq <= gap.throughSeq)
      const first = records[0]?.seq ?? 0
      const last = records.at(-1)?.seq ?? 0
      for (const { seq } of truth) {
        if (held.has(seq)) expect({ seed, seq, inGap: inGap(seq) }).toEqual({ seed, seq, inGap: false })
        else if (seq > first && seq < last) expect({ seed, seq, inGap: inGap(seq) }).toEqual({ seed, seq, inGap: true })
      }
    }
  })

  it('an altered copy is always found', () => {
    for (const { seed, random } of cases) {
      const { blocks } = scatter(random)
      const victim = blocks[Math.floor(random() * blocks.length)]
      if (victim === undefined) continue
      const altered = victim.records.map((record, n) => (n === 0 ? { ...record, line: `${record.line} ` } : record))
      const { conflicts } = merge([...blocks, { ...victim, region: 'zulu', records: altered }])
      expect({ seed, conflicts: conflicts.length }).toEqual({ seed, conflicts: 1 })
    }
  })
})
