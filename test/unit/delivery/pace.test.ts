import { expect, test } from 'vitest'
import { Pace } from '../../../edge-daemon/delivery/pace.ts'

const { signal } = new AbortController()

/** A pace on a clock that only its own waits move. */
function paceOf(bytesPerSec: number | null) {
  const clock = { nowMs: 0 }
  const pace = new Pace({
    bytesPerSec,
    nowMs: () => clock.nowMs,
    wait: async (ms) => {
      clock.nowMs += ms
    },
  })
  return { clock, pace }
}

test.each([16_384, 100_000, 900_000])('lets its cap through, whole, in pieces of %i bytes', async (piece) => {
  const { clock, pace } = paceOf(1_000_000)
  let bytes = 0
  for (; bytes < 20_000_000; bytes += piece) await pace.took(piece, 0, signal)
  const perSec = (bytes * 1000) / clock.nowMs
  expect(perSec).toBeGreaterThan(950_000)
  expect(perSec).toBeLessThan(1_050_000)
})

test('without a cap takes a quarter of the time of its thread', async () => {
  const { clock, pace } = paceOf(null)
  for (let n = 0; n < 100; n += 1) await pace.took(1_000_000, 10, signal)
  expect(clock.nowMs).toBe(3000)
})
