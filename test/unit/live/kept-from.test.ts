import { expect, test } from 'vitest'
import { keptFromMs } from '../../../edge-daemon/live/kept-from.ts'

const kept = (oldestAt: number | null, evicted: number) => {
  return { records: 1, bytes: 1, oldestAt, maxBytes: null, maxAgeMs: null, evicted }
}

test('log lines are known from the oldest on where older ones were let go, errors by themselves', () => {
  const byClass = { log: kept(500, 7), error: kept(200, 3), normal: kept(900, 1) }
  expect(keptFromMs(byClass, undefined, 1000)).toBe(500)
  expect(keptFromMs(byClass, { level: 'warn' }, 1000)).toBe(500)
  expect(keptFromMs(byClass, { level: 'error' }, 1000)).toBe(200)
  expect(keptFromMs({ log: kept(500, 0) }, undefined, 1000)).toBe(0)
  expect(keptFromMs({ log: kept(null, 7) }, undefined, 1000)).toBe(1000)
  expect(keptFromMs(undefined, undefined, 1000)).toBe(0)
})
