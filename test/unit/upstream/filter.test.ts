import { expect, test } from 'vitest'
import { ResultFilter } from '../../../edge-daemon/upstream/filter.ts'

type Result = { readonly why: string | null }
const options = { judge: ({ why }: Result) => why, abnormalPerSec: 3 }

test('sends up what the rules call abnormal, with their reason, and keeps the rest', () => {
  const filter = new ResultFilter(options, () => 0)
  expect(filter.classify({ why: null })).toEqual({ class: 'normal' })
  expect(filter.classify({ why: 'too_slow' })).toEqual({ class: 'abnormal', reason: 'too_slow' })
})

test('lets through no more than the rate in any second, wherever the second begins, and marks the rest', () => {
  let now = 0
  const filter = new ResultFilter(options, () => now)
  const admittedAt: number[] = []
  for (now = 0; now < 5000; now += 37) {
    const verdict = filter.classify({ why: 'failed' })
    if (verdict.class === 'abnormal') admittedAt.push(now)
    else expect(verdict).toEqual({ class: 'normal', reason: 'failed', over_rate: true })
  }
  for (const start of admittedAt) {
    expect(admittedAt.filter((at) => at >= start && at < start + 1000).length).toBeLessThanOrEqual(3)
  }
  expect(admittedAt.length).toBeGreaterThanOrEqual(14)
})

test('normal results use up no rate', () => {
  const filter = new ResultFilter(options, () => 0)
  for (let n = 0; n < 100; n += 1) filter.classify({ why: null })
  expect(filter.classify({ why: 'failed' }).class).toBe('abnormal')
})

test('a rate of zero keeps every abnormal result on the node', () => {
  const filter = new ResultFilter({ ...options, abnormalPerSec: 0 }, () => 0)
  expect(filter.classify({ why: 'failed' })).toMatchObject({ class: 'normal', over_rate: true })
})
