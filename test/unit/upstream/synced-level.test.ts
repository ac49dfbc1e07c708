import { expect, test } from 'vitest'
import { SyncedLevel } from '../../../edge-daemon/upstream/synced-level.ts'

function level(seq = 0) {
  const clock = { nowMs: 0 }
  return { clock, its: new SyncedLevel(seq, 1600, () => clock.nowMs) }
}

test('rises when the receiver is seen to hold still what it has held for long enough', () => {
  const { clock, its } = level(5)
  its.held(10)
  clock.nowMs = 1000
  its.held(20)
  clock.nowMs = 1599
  its.held(30)
  expect(its.seq).toBe(5)
  clock.nowMs = 1600
  its.confirmed(30)
  expect(its.seq).toBe(10)
  expect(its.dueInMs).toBe(1599)
  clock.nowMs = 2600
  its.held(40)
  expect(its.seq).toBe(20)
  clock.nowMs = 4200
  expect(its.dueInMs).toBe(0)
  // A server behind the one that is connected to may have come back with less.
  expect(its.seq).toBe(20)
  its.confirmed(40)
  expect(its.seq).toBe(40)
  expect(its.dueInMs).toBeNull()
})

test('is never early for what shares a place in the queue', () => {
  const { clock, its } = level()
  for (let n = 1; n <= 50; n += 1) {
    clock.nowMs = n * 10
    its.held(n)
    clock.nowMs = n * 10 + 1
  }
  for (let ms = 500; ms < 2200; ms += 10) {
    clock.nowMs = ms
    its.confirmed(50)
    expect(its.seq * 10).toBeLessThanOrEqual(Math.max(0, ms - 1600))
  }
  expect(its.seq).toBe(50)
})

test('does not rise over a break until the receiver was asked and some time has passed again', () => {
  const { clock, its } = level()
  its.held(10)
  clock.nowMs = 1500
  its.broken()
  clock.nowMs = 9000
  expect(its.seq).toBe(0)
  its.confirmed(10)
  clock.nowMs = 10_599
  its.confirmed(10)
  expect(its.seq).toBe(0)
  clock.nowMs = 10_600
  its.confirmed(10)
  expect(its.seq).toBe(10)
})

test('is at once what the receiver synced before it answered', () => {
  const { its } = level()
  its.held(10, true)
  expect(its.seq).toBe(10)
})

test('falls with what the receiver lost', () => {
  const { clock, its } = level(30)
  its.held(40)
  its.rewound(20)
  clock.nowMs = 5000
  expect(its.seq).toBe(20)
})
