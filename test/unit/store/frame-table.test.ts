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

  it.each([1, 2, 3, 4, 5])('finds every frame by the extent that holds it, in both directions (seed %i)', (seed) => {
    const all = frames(seed).map((ref) => ({ ...ref, offset: ref.offset * 40 }))
    const table = new FrameTable()
    for (const ref of all) {
      const extentFirstSeq = table.add(ref, 0)
      expect(table.at(table.length - 1)).toMatchObject({ firstSeq: extentFirstSeq, lastSeq: ref.lastSeq })
    }
    expect(table.length).toBeGreaterThan(5)
    expect(table.length).toBeLessThan(all.length / 2)
    expect(table.records).toBe(all.length)
    for (let seq = 0; seq < (all.at(-1)?.lastSeq ?? 0) + 3; seq += 1) {
      const next = all.find((ref) => ref.lastSeq > seq)
      const previous = all.findLast((ref) => ref.firstSeq < seq)
      for (const [ref, extent] of [
        [next, table.next(seq, 0, 9e15)],
        [previous, table.previous(seq, 0, 9e15)],
      ] as const) {
        expect(extent === null).toBe(ref === undefined)
        if (extent === null || ref === undefined) continue
        expect(extent.offset).toBeLessThanOrEqual(ref.offset)
        expect(extent.offset + extent.bytes).toBeGreaterThanOrEqual(ref.offset + ref.bytes)
        expect([extent.firstSeq <= ref.firstSeq, extent.lastSeq >= ref.lastSeq]).toEqual([true, true])
        expect([extent.minTime <= ref.minTime, extent.maxTime >= ref.maxTime]).toEqual([true, true])
      }
    }
  })

  it('makes extents of at most 16 KiB of the log and 64 KiB of lines, and leaves a larger frame alone', () => {
    const at = (n: number, bytes: number, lineBytes: number): FrameRef => ({
      offset: n,
      bytes,
      firstSeq: n,
      lastSeq: n,
      minTime: 1,
      maxTime: 1,
      records: 1,
      lineBytes,
    })
    const table = new FrameTable()
    table.add(at(0, 100, 50), 0)
    table.add(at(16_000, 384, 50), 0)
    expect(table.length).toBe(1)
    table.add(at(16_384, 20_000, 50), 0)
    table.add(at(36_384, 100, 50), 0)
    expect(table.length).toBe(3)
    table.add(at(36_500, 100, 65_436), 0)
    expect(table.length).toBe(3)
    table.add(at(36_600, 100, 51), 0)
    expect(table.length).toBe(4)
    expect(table.at(2)).toEqual({ ...at(36_384, 216, 65_486), lastSeq: 36_500, records: 2 })
  })

  it('does not go on with an extent that begins before a given offset', () => {
    const table = new FrameTable()
    for (const ref of frames(3)) table.add(ref, ref.offset < 3000 ? 0 : 3000)
    expect(table.length).toBe(2)
    expect(table.at(1)).toMatchObject({ offset: 3000, bytes: 3000, records: 30 })
  })
})
