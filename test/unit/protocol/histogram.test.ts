import { expect, test } from 'vitest'
import {
  EMPTY_HISTOGRAM,
  Histogram,
  meanMs,
  mergeHistograms,
  quantileMs,
  subtractHistogram,
} from '../../../protocol/histogram.ts'
import { histogramSchema } from '../../../protocol/records.ts'

/** Deterministic pseudo-random numbers in 0..1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function exactQuantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number
}

test.each([1, 2, 3, 4, 5])('a quantile of merged histograms is that of all values, within 2.2 %% (seed %i)', (seed) => {
  const random = randomOf(seed)
  const values: number[] = []
  const parts = Array.from({ length: 7 }, () => {
    const part = new Histogram()
    for (let i = 0; i < 300; i += 1) {
      const value = Math.exp(random() * 12 - 4)
      values.push(value)
      part.record(value)
    }
    return part.snapshot()
  })
  const merged = mergeHistograms(parts)
  expect(merged.count).toBe(values.length)
  for (const q of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = exactQuantile(values, q)
    const estimate = quantileMs(merged, q) as number
    expect(estimate).toBeGreaterThanOrEqual(exact * 0.978)
    expect(estimate).toBeLessThanOrEqual(exact * 1.022)
  }
  expect(meanMs(merged)).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 2)
})

test('what was counted since an earlier snapshot is their difference', () => {
  const growing = new Histogram()
  for (const value of [1, 5, 80]) growing.record(value)
  const before = growing.snapshot()
  for (const value of [2, 2, 9]) growing.record(value)
  const since = subtractHistogram(growing.snapshot(), before)
  const only = new Histogram()
  for (const value of [2, 2, 9]) only.record(value)
  expect(since.buckets).toEqual(only.snapshot().buckets)
  expect(since.count).toBe(3)
  expect(since.sumMs).toBe(13)
  expect(since.maxMs).toBeLessThanOrEqual(9 * 1.045)
  expect(subtractHistogram(before, before)).toEqual(EMPTY_HISTOGRAM)
})

test('no value has no quantile, and nonsense is refused', () => {
  expect(quantileMs(EMPTY_HISTOGRAM, 0.5)).toBeNull()
  expect(meanMs(EMPTY_HISTOGRAM)).toBeNull()
  const histogram = new Histogram()
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) expect(histogram.record(value)).toBe(false)
  expect(histogram.count).toBe(0)
  expect(histogram.record(0)).toBe(true)
  expect(quantileMs(histogram.snapshot(), 1)).toBe(0)
})

test('a snapshot survives the wire', () => {
  const histogram = new Histogram()
  for (const value of [0, 0.0001, 3, 1e9]) histogram.record(value)
  const wire: unknown = JSON.parse(JSON.stringify(histogram.snapshot()))
  expect(mergeHistograms([histogramSchema.parse(wire)])).toEqual(histogram.snapshot())
})
