import { expect, test } from 'vitest'
import { TrustedClock } from '../../../edge-daemon/identity/trusted-clock.ts'

const DAY_MS = 86_400_000

function clocks(wallMs: number) {
  const state = { wallMs, monotonicMs: 0, floors: [] as number[] }
  const clock = new TrustedClock({
    floorMs: 100 * DAY_MS,
    wallMs: () => state.wallMs,
    monotonicMs: () => state.monotonicMs,
    onFloor: (floorMs) => state.floors.push(floorMs),
  })
  return { state, clock }
}

test('a wall clock that is behind what was signed does not count, and one that is ahead does while nobody knows better', () => {
  const { state, clock } = clocks(60 * DAY_MS)
  expect(clock.nowMs()).toBe(100 * DAY_MS)
  clock.raiseFloor(101 * DAY_MS)
  clock.raiseFloor(99 * DAY_MS)
  expect([clock.nowMs(), clock.floorMs, ...state.floors]).toEqual([101 * DAY_MS, 101 * DAY_MS, 101 * DAY_MS])
  state.wallMs = 140 * DAY_MS
  expect(clock.nowMs()).toBe(140 * DAY_MS)
  // The wall clock never moves the floor.
  state.wallMs = 60 * DAY_MS
  expect(clock.nowMs()).toBe(101 * DAY_MS)
})

test('once a controller has told the time it goes on from there, whatever is done to the wall clock', () => {
  const { state, clock } = clocks(140 * DAY_MS)
  clock.confirm(102 * DAY_MS)
  expect(clock.isConfirmed).toBe(true)
  expect(clock.wallAheadMs).toBe(38 * DAY_MS)
  state.monotonicMs += 5000
  state.wallMs = 0
  expect(clock.nowMs()).toBe(102 * DAY_MS + 5000)
  clock.raiseFloor(103 * DAY_MS)
  expect(clock.nowMs()).toBe(103 * DAY_MS)
  clock.confirm(50 * DAY_MS)
  expect(clock.nowMs()).toBe(103 * DAY_MS)
})
