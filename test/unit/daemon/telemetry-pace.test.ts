import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { telemetryPace } from '../../../edge-daemon/telemetry-pace.ts'
import { UplinkPacer } from '../../../edge-daemon/upstream/uplink-pacer.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A cap that a backlog uses up. */
function cappedBusy(capBytesPerSec: number): ReturnType<typeof telemetryPace> & { sent(): number } {
  let leftBytes = 0
  const pacer = new UplinkPacer({ capBytesPerSec, leftBytes: () => leftBytes })
  void (async () => {
    for (;;) {
      const turn = await pacer.turn({ class: 'stat', bytes: capBytesPerSec / 2, late: true })
      leftBytes += capBytesPerSec / 2
      turn?.ended()
    }
  })()
  const pace = telemetryPace(pacer)
  return {
    ...pace,
    told: (bytes) => {
      leftBytes += bytes
      pace.told(bytes)
    },
    sent: () => leftBytes,
  }
}

test('while a backlog uses the cap up, status frames come every few seconds and rows in between', async () => {
  const pace = cappedBusy(8000)
  const gapsMs: number[] = []
  let [statusAtMs, rows] = [performance.now(), 0]
  for (let tick = 0; tick < 1200; tick += 1) {
    await vi.advanceTimersByTimeAsync(50)
    if (tick % 20 === 0 && pace.mayTell('status')) {
      pace.told(1500)
      gapsMs.push(performance.now() - statusAtMs)
      statusAtMs = performance.now()
    }
    if (pace.mayTell('rows')) {
      pace.told(1000)
      rows += 1
    }
  }
  expect(Math.max(...gapsMs)).toBeLessThanOrEqual(3000)
  expect(gapsMs.length).toBeGreaterThan(25)
  expect(rows).toBeGreaterThan(15)
  expect(pace.sent()).toBeLessThan(8000 * 60 * 1.02 + 4000)
})

test('an answer to a read waits for its turn, unless its session ended', async () => {
  const pace = cappedBusy(8000)
  pace.told(8000)
  const session = new AbortController()
  let turns = 0
  const reading = (async () => {
    while (await pace.turn(pace.rowsFrameBytes, session.signal)) turns += 1
  })()
  await vi.advanceTimersByTimeAsync(30_000)
  expect(turns).toBeGreaterThan(5)
  expect(turns).toBeLessThan(20)
  session.abort()
  await reading
})

test('rows frames are cut to about half a second of the cap, within bounds', () => {
  const frameBytes = (capBytesPerSec: number | null): number =>
    telemetryPace(new UplinkPacer({ capBytesPerSec, leftBytes: () => 0 })).rowsFrameBytes
  expect([1000, 20_000, 1e6, null].map(frameBytes)).toEqual([4096, 10_000, 65_536, 65_536])
})
