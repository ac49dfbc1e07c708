import { expect, test } from 'vitest'
import { InputChoice } from '../../../edge-daemon/input-choice.ts'

const ABNORMAL = { class: 'abnormal', reason: 'failed' } as const
const OVER_RATE = { class: 'normal', reason: 'failed', over_rate: true } as const
const NORMAL = { class: 'normal' } as const
const rules = { keepAbnormal: true, sampleEvery: 0, maxBytes: 1000, bytesPerSec: 100 }

test('keeps pictures of what is abnormal and goes up, none of a flood, none that is too large or empty', () => {
  const choice = new InputChoice(rules, () => 0)
  expect(choice.take(ABNORMAL, 1000)).toBe(true)
  expect(choice.take(ABNORMAL, 1001)).toBe(false)
  expect(choice.take(ABNORMAL, 0)).toBe(false)
  expect(choice.take(OVER_RATE, 10)).toBe(false)
  expect(choice.take(NORMAL, 10)).toBe(false)
  expect(new InputChoice({ ...rules, keepAbnormal: false }, () => 0).take(ABNORMAL, 10)).toBe(false)
})

test('keeps every so many-th of the normal ones when it is told to', () => {
  const choice = new InputChoice({ ...rules, sampleEvery: 3 }, () => 0)
  const kept = Array.from({ length: 9 }, () => choice.take(NORMAL, 10))
  expect(kept).toEqual([false, false, true, false, false, true, false, false, true])
})

test('lets a minute of its rate come at once, and then no more than the rate', () => {
  let nowMs = 0
  const choice = new InputChoice(rules, () => nowMs)
  const keptBytes = (): number => {
    const taken = Array.from({ length: 50 }, () => choice.take(ABNORMAL, 500)).filter(Boolean)
    return taken.length * 500
  }
  expect(keptBytes()).toBe(6000)
  nowMs = 10_000
  expect(keptBytes()).toBe(1000)
  nowMs = 3_600_000
  expect(keptBytes()).toBe(6000)
})
