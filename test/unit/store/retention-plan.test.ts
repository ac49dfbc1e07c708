import { describe, expect, it } from 'vitest'
import {
  type Cell,
  type Eviction,
  type MergeView,
  planEviction,
  planMerge,
  type RetentionView,
} from '../../../edge-daemon/store/retention-plan.ts'
import { RECORD_CLASSES, type RecordClass } from '../../../protocol/subjects.ts'

function cell(recordClass: RecordClass, seq: number, bytes = 100): Cell {
  return { recordClass, records: 10, bytes, firstSeq: seq, lastSeq: seq + 9 }
}

/** A segment of cells that begin at `seq`, not written to for `ageMs`. */
function segment(seq: number, classes: readonly RecordClass[], changes: Partial<MergeView> = {}): MergeView {
  const cells = classes.map((recordClass) => cell(recordClass, seq))
  const bytes = 100 * cells.length
  return { bytes, ageMs: 0, isActive: false, cells, noted: new Set(), begunAtMs: 0, writtenAtMs: 0, ...changes }
}

function view(segments: readonly MergeView[], changes: Partial<RetentionView> = {}): RetentionView {
  return {
    segments,
    limits: {},
    total: { maxBytes: 1e9, reason: 'max_bytes' },
    levels: { foldedSeq: 1e6, heldSeq: () => 1e6 },
    ...changes,
  }
}

const shown = (plan: Eviction | null) => plan && { ...plan, classes: [...plan.classes] }
const FULL = { maxBytes: 0, reason: 'max_bytes' } as const

/** Classes in the order in which they go when everything has to. */
function orderOf(segments: readonly MergeView[], changes: Partial<RetentionView>): string[] {
  let left = [...segments]
  const order: string[] = []
  for (;;) {
    const plan = planEviction(view(left, { total: FULL, ...changes }))
    if (plan === null) return order
    order.push(`${plan.segment}:${[...plan.classes].toSorted().join('+')}`)
    left = left.map((one, n) => {
      const cells = one.cells.filter(({ recordClass }) => n !== plan.segment || !plan.classes.has(recordClass))
      return { ...one, cells, bytes: 100 * cells.length }
    })
  }
}

describe('the retention planner', () => {
  it('plans nothing while all is within its limits', () => {
    expect(planEviction(view([segment(1, RECORD_CLASSES)]))).toBeNull()
  })

  it('gives up folded results first, then local detail, then what is upstream, alerts and errors late, who did what and the ledger last', () => {
    expect(orderOf([segment(1, RECORD_CLASSES)], {})).toEqual([
      '0:normal',
      '0:input+log+minute+sample',
      '0:abnormal+metric+stat',
      '0:alert+error',
      '0:audit',
      '0:ledger',
    ])
  })

  it('goes through all segments with one kind before it begins with the next, oldest first', () => {
    const two = [segment(1, ['normal', 'abnormal']), segment(11, ['normal', 'abnormal'])]
    expect(orderOf(two, {})).toEqual(['0:normal', '1:normal', '0:abnormal', '1:abnormal'])
  })

  it('keeps what waits for a target longer than what is surely upstream, and an alert that is upstream longer than both', () => {
    const three = [segment(1, ['abnormal']), segment(11, ['alert', 'abnormal']), segment(21, ['alert'])]
    const levels = { foldedSeq: 0, heldSeq: (recordClass: RecordClass) => (recordClass === 'abnormal' ? 10 : 20) }
    expect(orderOf(three, { levels })).toEqual(['0:abnormal', '1:abnormal', '1:alert', '2:alert'])
  })

  it('keeps a result that no statistic covers until all but alerts, errors and the ledger is gone', () => {
    const two = [segment(1, ['normal']), segment(11, ['normal', 'abnormal', 'alert'])]
    expect(orderOf(two, { levels: { foldedSeq: 10, heldSeq: () => 0 } })).toEqual([
      '0:normal',
      '1:abnormal',
      '1:normal',
      '1:alert',
    ])
  })

  it('spares the segment that grows while there is anything else, and never takes the notes that it makes itself', () => {
    const two = [segment(1, ['alert']), segment(11, ['normal', 'ledger'], { isActive: true })]
    expect(orderOf(two, {})).toEqual(['0:alert', '1:normal'])
  })

  it('lets what is too old go, but nothing that waits and nothing that still grows', () => {
    const limits = { sample: { maxBytes: null, maxAgeMs: 1000 }, abnormal: { maxBytes: null, maxAgeMs: 1000 } }
    const segments = [
      segment(1, ['abnormal', 'sample', 'alert'], { ageMs: 2000 }),
      segment(11, ['abnormal', 'sample'], { ageMs: 500 }),
      segment(21, ['sample'], { ageMs: 9000, isActive: true }),
    ]
    const old = (heldSeq: number) =>
      shown(planEviction(view(segments, { limits, levels: { foldedSeq: 0, heldSeq: () => heldSeq } })))
    expect(old(0)).toEqual({ segment: 0, classes: ['sample'], reason: 'max_age' })
    expect(old(100)).toEqual({ segment: 0, classes: ['abnormal', 'sample'], reason: 'max_age' })
  })

  it('keeps the newest statistic while a result that it covers is kept, whatever limit of its own it is over', () => {
    const old = { ageMs: 9000 }
    const segments = [segment(1, ['normal', 'stat'], old), segment(11, ['stat'], old), segment(21, ['alert'], old)]
    for (const limit of [
      { maxBytes: null, maxAgeMs: 1000 },
      { maxBytes: 10, maxAgeMs: null },
    ]) {
      const next = (of: readonly MergeView[]) => shown(planEviction(view(of, { limits: { stat: limit } })))
      expect(next(segments)).toMatchObject({ segment: 0, classes: ['stat'] })
      expect(next([segment(1, ['normal'], old), ...segments.slice(1)])).toBeNull()
      expect(next(segments.slice(1))).toMatchObject({ segment: 0, classes: ['stat'] })
    }
    const open = [segment(1, ['stat']), segment(11, ['normal', 'alert'])]
    expect(orderOf(open, { levels: { foldedSeq: 15, heldSeq: () => 1e6 } })).toEqual(['1:normal', '0:stat', '1:alert'])
  })

  it('takes the oldest of a class that is over its own bytes, whatever else there is', () => {
    const limits = { input: { maxBytes: 250, maxAgeMs: null } }
    const three = [segment(1, ['normal']), segment(11, ['input']), segment(21, ['input', 'normal'])]
    expect(planEviction(view(three, { limits }))).toBeNull()
    const four = [...three, segment(31, ['input'])]
    expect(shown(planEviction(view(four, { limits })))).toEqual({
      segment: 1,
      classes: ['input'],
      reason: 'class_bytes',
    })
  })

  it('finishes first what the ledger already knows of, without another note', () => {
    const segments = [segment(1, ['normal']), segment(11, ['normal', 'stat'], { noted: new Set(['stat']) })]
    expect(shown(planEviction(view(segments, { total: FULL })))).toEqual({
      segment: 1,
      classes: ['stat'],
      reason: null,
    })
  })

  it('says that the disk is full when that is why', () => {
    const total = { maxBytes: 10, reason: 'disk_full' } as const
    expect(planEviction(view([segment(1, ['log'])], { total }))?.reason).toBe('disk_full')
  })
})

describe('merging', () => {
  const small = (n: number, changes: Partial<MergeView> = {}) => segment(n * 10, ['stat'], changes)
  const options = { segmentBytes: 1000, limits: { stat: { maxBytes: null, maxAgeMs: 4000 } } }

  it('takes a run of at least four small neighbours, and not the one that grows', () => {
    const three = [small(1), small(2), small(3)]
    expect(planMerge([...three, small(4, { isActive: true })], options)).toBeNull()
    expect(planMerge([...three, small(4)], options)).toEqual({ first: 0, count: 4 })
  })

  it('does not rewrite a large one for the sake of a few small ones', () => {
    expect(planMerge([small(1, { bytes: 700 }), small(2), small(3), small(4)], options)).toBeNull()
  })

  it('makes no segment over its size, nor one that spans so much time that its records outlive their age', () => {
    const many = Array.from({ length: 20 }, (_, n) => small(n))
    expect(planMerge(many, options)).toEqual({ first: 0, count: 10 })
    const slow = many.map((one, n) => ({ ...one, begunAtMs: n * 400, writtenAtMs: n * 400 + 400 }))
    expect(planMerge(slow, options)).toBeNull()
  })
})
