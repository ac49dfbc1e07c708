import { expect, test } from 'vitest'
import { ResultFilter } from '../../../edge-daemon/upstream/filter.ts'

const rules = { minConfidence: 0.6, abnormalPerSec: 3 }

test.each([
  [{ code: 200, confidence: 0.6 }, { class: 'normal' }],
  [{ code: 200, confidence: null }, { class: 'normal' }],
  [
    { code: 200, confidence: 0.599 },
    { class: 'abnormal', reason: 'low_confidence' },
  ],
  [
    { code: 422, confidence: null },
    { class: 'abnormal', reason: 'undecodable' },
  ],
  [
    { code: 500, confidence: null },
    { class: 'abnormal', reason: 'failed' },
  ],
  [
    { code: 503, confidence: 0.99 },
    { class: 'abnormal', reason: 'failed' },
  ],
])('classifies %j as %j', (result, verdict) => {
  expect(new ResultFilter(rules, () => 0).classify(result)).toEqual(verdict)
})

test('lets through no more than the rate in any second, wherever the second begins, and marks the rest', () => {
  let now = 0
  const filter = new ResultFilter(rules, () => now)
  const admittedAt: number[] = []
  for (now = 0; now < 5000; now += 37) {
    const verdict = filter.classify({ code: 500, confidence: null })
    if (verdict.class === 'abnormal') admittedAt.push(now)
    else expect(verdict).toEqual({ class: 'normal', reason: 'failed', over_rate: true })
  }
  for (const start of admittedAt) {
    expect(admittedAt.filter((at) => at >= start && at < start + 1000).length).toBeLessThanOrEqual(3)
  }
  expect(admittedAt.length).toBeGreaterThanOrEqual(14)
})

test('normal results use up no rate', () => {
  const filter = new ResultFilter(rules, () => 0)
  for (let n = 0; n < 100; n += 1) filter.classify({ code: 200, confidence: 0.9 })
  expect(filter.classify({ code: 500, confidence: null }).class).toBe('abnormal')
})

test('a rate of zero keeps every abnormal result on the node', () => {
  const filter = new ResultFilter({ minConfidence: 0.6, abnormalPerSec: 0 }, () => 0)
  expect(filter.classify({ code: 500, confidence: null })).toMatchObject({ class: 'normal', over_rate: true })
})
