import { describe, expect, it } from 'vitest'
import { type FrameRef, FrameTable } from '../../../edge-daemon/store/frame-table.ts'

/** Numbers below a bound that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

function frames(seed: number): FrameRef[] {
  const below = numbers(seed)
  let seq = 1
  return Array.from({ length: 60 }, (_, n) => {
    const firstSeq = seq + below(4)
    const lastSeq = firstSeq + below(5)
    seq = lastSeq + 1
    const minTime = 1000 + below(300)
    return {
      offset: n * 100,
      bytes: 100,
      firstSeq,
      lastSeq,
      minTime,
      maxTime: minTime + below(40),
      records: 1,
      lineBytes: 9,
    }
  })
}

describe('a frame table', () => {
  it.each([1, 2, 3, 4, 5])('finds the same frames as looking at each, in both directions (seed %i)', (seed) => {
    const all = frames(seed)
    const table = new FrameTable()
    for (const ref of all) table.push(ref)
    const fits = (ref: FrameRef, from: number, to: number): boolean => ref.maxTime >= from && ref.minTime <= to
    for (let seq = 0; seq < (all.at(-1)?.lastSeq ?? 0) + 3; seq += 1) {
      for (const [from, to] of [
        [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
        [1100, 1130],
        [2000, 3000],
      ] as const) {
        expect(table.next(seq, from, to)).toEqual(all.find((ref) => ref.lastSeq > seq && fits(ref, from, to)) ?? null)
        const last = all.findLast((ref) => ref.firstSeq < seq && fits(ref, from, to)) ?? null
        expect(table.previous(seq, from, to)).toEqual(last)
      }
    }
  })

  it('forgets what lies at or behind an offset', () => {
    const table = new FrameTable()
    const all = frames(9)
    for (const ref of all) table.push(ref)
    table.dropFrom(2500)
    expect(table.length).toBe(25)
    expect(table.at(24)).toEqual(all[24])
  })
})
