import { describe, expect, it } from 'vitest'
import type { CloudBlock } from '../../../src/cloud/block.ts'
import type { CloudRange } from '../../../src/cloud/cloud-range.ts'
import { compareClass, isSound } from '../../../src/cloud/compare.ts'
import { merge } from '../../../src/cloud/merge.ts'
import { cloudBlock, cloudRecord } from '../../support/cloud-blocks.ts'

const range = (...blocks: CloudBlock[]): CloudRange => ({
  ...merge(blocks),
  regions: ['east', 'west'].map((name) => ({
    name,
    error: null,
    blocks: 1,
    records: 1,
    unreadable: 0,
    firstUnreadable: null,
  })),
  truncated: false,
})
const kept = (...seqs: number[]) => seqs.map((seq) => ({ ...cloudRecord(seq), said: cloudRecord(seq).line }))

function compare(cloud: CloudRange, seqs: number[] | null, isWaiting = (_: { seq: number }) => false) {
  return compareClass(cloud, {
    recordClass: 'abnormal',
    kept: seqs === null ? null : kept(...seqs),
    isWaiting,
    saidBy: (line) => line,
  })
}

describe('what a node keeps beside what the cloud holds', () => {
  it('is sound when every record is held once, in whatever region, or waits', () => {
    const cloud = range(
      cloudBlock([cloudRecord(1), cloudRecord(2)], { prevSeq: 0 }),
      cloudBlock([cloudRecord(2), cloudRecord(3)], { region: 'west', prevSeq: 1 }),
      cloudBlock([cloudRecord(4)], { recordClass: 'alert' }),
    )
    const compared = compare(cloud, [2, 3, 9], ({ seq }) => seq > 8)
    expect(compared).toEqual({
      recordClass: 'abnormal',
      onNode: 3,
      inCloud: 3,
      byRegion: { east: 2, west: 2 },
      missing: [],
      waiting: 1,
      twice: [],
      altered: [],
      onlyInCloud: 1,
      gaps: [],
    })
    expect(isSound(compared)).toBe(true)
  })

  it('names what is missing, twice, altered and broken in its chain', () => {
    const cloud = range(
      cloudBlock([cloudRecord(1), cloudRecord(2)], { position: 1 }),
      cloudBlock([cloudRecord(2)], { position: 2 }),
      cloudBlock([cloudRecord(3, { code: 1 })], { position: 3 }),
      cloudBlock([cloudRecord(9)], { position: 4, prevSeq: 8 }),
      cloudBlock([cloudRecord(9, { code: 1 })], { region: 'west', position: 4 }),
    )
    const compared = compare(cloud, [1, 2, 3, 5, 9])
    expect(compared).toMatchObject({
      missing: [5],
      twice: [2],
      altered: [3, 9],
      gaps: [{ afterSeq: 3, throughSeq: 8 }],
    })
    expect(isSound(compared)).toBe(false)
  })

  it('finds what travelled under a new epoch, and judges the cloud alone when the node is silent', () => {
    const cloud = range(
      cloudBlock([cloudRecord(1, { code: 1 })]),
      cloudBlock([cloudRecord(1)], { epoch: 'e2', originEpoch: 'e1', maybeDuplicate: true }),
    )
    expect(compare(cloud, [1])).toMatchObject({ missing: [], altered: [], onlyInCloud: 1 })
    expect(compare(cloud, null)).toMatchObject({ onNode: null, inCloud: 2, missing: [], onlyInCloud: 0 })
  })
})
