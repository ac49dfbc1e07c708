import { expect, test } from 'vitest'
import { TransferFigures } from '../../../edge-daemon/upstream/transfer-figures.ts'

function figures(): { figures: TransferFigures; pass(ms: number): void; hold(records: number, tookMs: number): void } {
  let nowMs = 1_000_000
  const kept = new TransferFigures(() => nowMs)
  return {
    figures: kept,
    pass: (ms) => {
      nowMs += ms
    },
    hold: (records, tookMs) => {
      const held = Array.from({ length: records }, () => 5000)
      kept.held(held, 5000 + tookMs)
    },
  }
}

test('tells the transfer of the last minute apart from that since the start', () => {
  const { figures: kept, pass, hold } = figures()
  hold(10, 300_000)
  pass(70_000)
  hold(5, 40)
  expect(kept.lastMinute()).toMatchObject({ count: 5, maxMs: 40 })
  expect(kept.sinceStart()).toMatchObject({ count: 15, maxMs: 300_000 })
  pass(70_000)
  expect(kept.lastMinute().count).toBe(0)
})

test('a clock set back between the event and now counts as no time, and the record still counts', () => {
  const { figures: kept, hold } = figures()
  hold(1, -4000)
  expect(kept.lastMinute()).toMatchObject({ count: 1, maxMs: 0 })
})

test('says how long what waits takes at the rate of the last minute, counted from when the target was reached', () => {
  const { figures: kept, pass, hold } = figures()
  expect(kept.drainSec(100)).toBeNull()
  kept.reachable(true)
  expect(kept.drainSec(100)).toBeNull()
  for (let second = 0; second < 10; second += 1) {
    pass(1000)
    hold(50, 10)
  }
  expect(kept.drainSec(1000)).toBeCloseTo(20, 0)
  expect(kept.drainSec(0)).toBeNull()
  for (let second = 0; second < 60; second += 1) {
    pass(1000)
    hold(10, 10)
  }
  expect(kept.drainSec(1000)).toBeGreaterThan(85)
  kept.reachable(false)
  expect(kept.drainSec(1000)).toBeNull()
  pass(120_000)
  kept.reachable(true)
  pass(1000)
  expect(kept.drainSec(1000)).toBeNull()
})
