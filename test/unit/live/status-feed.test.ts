import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FREE_PACE, type LiveClock } from '../../../edge-daemon/live/contract.ts'
import { StatusFeed, type StatusOutlet, StatusSubscription } from '../../../edge-daemon/live/status-feed.ts'
import { decodeDaemonFrame, type StatusFrame } from '../../../protocol/frames.ts'
import { Histogram, mergeHistograms } from '../../../protocol/histogram.ts'
import { statusBody } from '../../support/live-node.ts'

const WALL = 1_793_000_000_000
const total = { now: new Histogram() }
let snapshots = 0
let stallMs = 0
let feed: StatusFeed

const clock: LiveClock = {
  wallMs: () => WALL + performance.now() + stallMs,
  monotonicMs: () => performance.now() + stallMs,
}

beforeEach(() => {
  vi.useFakeTimers()
  total.now = new Histogram()
  snapshots = 0
  stallMs = 0
  feed = new StatusFeed({
    intervalMs: 1000,
    snapshot: () => {
      snapshots += 1
      return statusBody(total.now)
    },
    clock,
    log: { info: () => undefined, warn: () => undefined },
  })
})

afterEach(() => {
  feed.stop()
  vi.useRealTimers()
})

/** A session's end that keeps what it is sent. */
class Reader {
  readonly frames: StatusFrame[] = []
  slow = false
  readonly subscription: StatusSubscription

  constructor(id: string, credits: number, everyMs = 0, pace: StatusOutlet['pace'] = FREE_PACE) {
    const outlet = {
      slow: () => this.slow,
      pace,
      reading: () => ({ rttMs: 1, clockOffsetMs: 2 }),
      send: (text: string) => {
        const decoded = decodeDaemonFrame(text)
        if (!decoded.ok || decoded.frame.t !== 'status') throw new Error(text)
        this.frames.push(decoded.frame)
      },
    }
    this.subscription = new StatusSubscription(id, credits, outlet, everyMs)
  }
}

function count(times: number): void {
  for (let i = 0; i < times; i += 1) total.now.record(1 + i)
}

test('looks at the node once a tick however many look on, and not at all when nobody does', () => {
  vi.advanceTimersByTime(10_000)
  expect(snapshots).toBe(0)
  const readers = Array.from({ length: 10 }, (_, index) => new Reader(`s${index}`, 100))
  for (const { subscription } of readers) feed.add(subscription)
  snapshots = 0
  vi.advanceTimersByTime(5000)
  expect(snapshots).toBe(5)
  for (const { frames } of readers) expect(frames.length).toBe(6)
  for (const { subscription } of readers) feed.remove(subscription)
  vi.advanceTimersByTime(5000)
  expect(snapshots).toBe(5)
})

test('gives each session the window since its own last frame, and windows add up to all that was counted', () => {
  const steady = new Reader('a', 100)
  const poor = new Reader('b', 1)
  const lazy = new Reader('c', 100)
  for (const { subscription } of [steady, poor, lazy]) feed.add(subscription)
  for (let i = 1; i <= 6; i += 1) {
    lazy.slow = i % 3 !== 0
    if (i === 5) poor.subscription.credit(1)
    count(i * 10)
    vi.advanceTimersByTime(1000)
  }
  const counts = (reader: Reader): number[] => reader.frames.map(({ inference }) => inference.latency.total.count)
  expect(counts(steady)).toEqual([0, 10, 20, 30, 40, 50, 60])
  expect(counts(poor)).toEqual([0, 150])
  expect(counts(lazy)).toEqual([0, 60, 150])
  expect(lazy.frames.map(({ n }) => n)).toEqual([1, 4, 7])
  expect(lazy.frames.map(({ inference }) => inference.windowMs)).toEqual([0, 3000, 3000])
  expect(steady.frames.map(({ id }) => id)).toEqual(Array(7).fill('a'))
  const sum = mergeHistograms(steady.frames.map(({ inference }) => inference.latency.total))
  expect(sum.buckets).toEqual(total.now.snapshot().buckets)
})

test('stays on its grid when a tick comes late', () => {
  const reader = new Reader('a', 100)
  feed.add(reader.subscription)
  const startMs = reader.frames[0]?.at ?? 0
  vi.advanceTimersByTime(999)
  stallMs = 2500
  vi.advanceTimersByTime(1)
  vi.advanceTimersByTime(2000)
  const times = reader.frames.map(({ at }) => at - startMs)
  expect(times).toEqual([0, 3500, 4000, 5000])
})

test('tells who looks away every ten seconds, says so in each frame, and joins the windows when that changes', () => {
  const near = new Reader('a', 100)
  const away = new Reader('b', 100, 10_000)
  for (const { subscription } of [near, away]) feed.add(subscription)
  for (let i = 0; i < 30; i += 1) {
    count(3)
    vi.advanceTimersByTime(1000)
  }
  expect(near.frames.length).toBe(31)
  expect(away.frames.map(({ n, everyMs }) => [n, everyMs])).toEqual([1, 2, 3, 4].map((n) => [n, 10_000]))
  count(2)
  vi.advanceTimersByTime(2000)
  feed.repace(away.subscription, 100)
  expect(away.frames.at(-1)).toMatchObject({ n: 5, everyMs: 1000 })
  count(4)
  vi.advanceTimersByTime(1000)
  feed.repace(away.subscription, 10_000)
  // It was told a moment ago: what it needs to know comes with the next tick.
  expect(away.frames.length).toBe(6)
  vi.advanceTimersByTime(1000)
  expect(away.frames.at(-1)).toMatchObject({ n: 7, everyMs: 10_000 })
  vi.advanceTimersByTime(9000)
  expect(away.frames.length).toBe(7)
  const sum = mergeHistograms(away.frames.map(({ inference }) => inference.latency.total))
  expect(sum.count).toBe(96)
})

test('announces what a small cap is sure to carry, not what was asked for', () => {
  const readers = ['a', 'b'].map((id) => new Reader(id, 100, 0, { mayTell: () => true, spacingMs: (bytes) => bytes }))
  for (const { subscription } of readers) feed.add(subscription)
  vi.advanceTimersByTime(1000)
  const [frame] = readers[1]?.frames.slice(-1) ?? []
  const bytes = JSON.stringify(frame).length
  expect(frame?.everyMs).toBeGreaterThan(1.9 * bytes - 1000)
  expect(frame?.everyMs).toBeLessThan(2 * bytes + 1000)
  expect((frame?.everyMs ?? 1) % 1000).toBe(0)
})
