import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ReadRequest } from '../../../edge-daemon/live/contract.ts'
import { readRows } from '../../../edge-daemon/live-rows.ts'
import { StatusRecorder } from '../../../edge-daemon/status-recorder.ts'
import { Histogram, mergeHistograms } from '../../../protocol/histogram.ts'
import { type SampleRecord, sampleRecordSchema } from '../../../protocol/status.ts'
import { statusBody } from '../../support/live-node.ts'
import { MemoryStore } from '../../support/memory-store.ts'

/** 10:00:30 of some day: a minute has 30 s to go. */
const WALL = Math.floor(1_793_000_000_000 / 3_600_000) * 3_600_000 + 30_000

let store: MemoryStore
let total: Histogram
let shiftMs: number

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  store = new MemoryStore()
  total = new Histogram()
  shiftMs = 0
})

afterEach(() => {
  vi.useRealTimers()
})

const clock = { wallMs: () => WALL + shiftMs + performance.now(), monotonicMs: () => performance.now() }

async function begun(instance = 'i1'): Promise<StatusRecorder> {
  const snapshot = () => statusBody(total)
  const recorder = new StatusRecorder({ store, instance, snapshot, onFault: (msg) => expect.fail(msg), clock })
  await recorder.start()
  return recorder
}

/** Let seconds pass with one answer in each, that takes as many ms as the second has. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    total.record(1 + (i % 50))
    await vi.advanceTimersByTimeAsync(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function kept(recordClass: 'sample' | 'minute'): SampleRecord[] {
  return store.records
    .filter((record) => record.class === recordClass)
    .map(({ line }) => sampleRecordSchema.parse(JSON.parse(line)))
}

test('keeps a sample a second, ten to a commit, whose windows add up to what was counted', async () => {
  const append = vi.spyOn(store, 'append')
  const recorder = await begun()
  await pass(25)
  expect(kept('sample').length).toBe(20)
  await recorder.stop()
  expect(append).toHaveBeenCalledTimes(3)
  expect(kept('sample').map(({ window_ms }) => window_ms)).toEqual(Array.from({ length: 25 }, () => 1000))
  const all = mergeHistograms(kept('sample').map(({ status }) => status.inference.latency.total))
  expect(all.buckets).toEqual(total.snapshot().buckets)
})

test('sums up a minute of the wall clock into one record before the next one begins', async () => {
  const recorder = await begun()
  await pass(100)
  await recorder.stop()
  const [first, second] = kept('minute')
  expect(first).toMatchObject({ timestamp: WALL + 30_000, window_ms: 30_000 })
  expect(second).toMatchObject({ timestamp: WALL + 90_000, window_ms: 60_000, instance: 'i1' })
  expect(first?.status.inference.latency.total.count).toBe(30)
  expect(second?.status.inference).toMatchObject({ windowMs: 60_000, latency: { total: { count: 60 } } })
  const seqs = kept('sample').filter(({ timestamp }) => timestamp > WALL + 90_000)
  expect(Math.min(...seqs.map(({ seq }) => seq))).toBeGreaterThan(second?.seq ?? Number.POSITIVE_INFINITY)
})

test('sums up the minute that a kill cut from the samples it left, once', async () => {
  await begun('i1')
  await pass(20)
  // Nothing is ended: the process is gone. The next one begins in a later minute.
  vi.clearAllTimers()
  shiftMs += 120_000
  const again = await begun('i2')
  await again.stop()
  expect(kept('minute')).toMatchObject([{ timestamp: WALL + 30_000, window_ms: 20_000, instance: 'i1' }])
  expect(kept('minute')[0]?.status.inference.latency.total.count).toBe(20)
  const third = await begun('i3')
  await third.stop()
  expect(kept('minute').length).toBe(1)
})

test('goes on with the minute when it is started again within it', async () => {
  await begun('i1')
  await pass(10)
  // This takes the fake time back to its beginning.
  vi.clearAllTimers()
  shiftMs += 10_000
  total = new Histogram()
  const again = await begun('i2')
  await pass(25)
  await again.stop()
  expect(kept('minute')).toMatchObject([{ timestamp: WALL + 30_000, window_ms: 30_000, instance: 'i2' }])
  expect(kept('minute')[0]?.status.inference.latency.total.count).toBe(30)
})

async function readAll(range: Partial<ReadRequest> = {}): Promise<{ timestamp: number; window_ms: number }[]> {
  const rows: { timestamp: number; window_ms: number }[] = []
  let afterSeq = 0
  for (;;) {
    const request = { topic: 'status' as const, limit: 7, maxBytes: 1e6, newestFirst: false, ...range, afterSeq }
    const page = await readRows(store, request)
    if (page.length === 0) return rows
    for (const { line } of page) rows.push(JSON.parse(line))
    afterSeq = page.at(-1)?.seq ?? 0
  }
}

test('reads samples where all of a minute are kept and the minute where they are not, no time twice', async () => {
  const recorder = await begun()
  await pass(200)
  await recorder.stop()
  expect((await readAll()).map(({ window_ms }) => window_ms)).toEqual(Array.from({ length: 200 }, () => 1000))
  // What age took: the samples of the first 40 s, so that the second minute is not whole any more.
  const first = store.records.findIndex((record) => record.class === 'sample' && record.timestamp > WALL + 40_000)
  store.records.splice(
    0,
    store.records.length,
    ...store.records.filter((record, index) => record.class === 'minute' || index >= first),
  )
  const rows = await readAll()
  expect(rows.slice(0, 2)).toMatchObject([
    { timestamp: WALL + 30_000, window_ms: 30_000 },
    { timestamp: WALL + 90_000, window_ms: 60_000 },
  ])
  expect(rows.slice(2).length).toBe(110)
  expect(rows.reduce((sum, { window_ms }) => sum + window_ms, 0)).toBe(200_000)
  const part = await readAll({ fromMs: WALL + 90_000, toMs: WALL + 92_000 })
  expect(part.map(({ timestamp }) => timestamp - WALL)).toEqual([90_000, 91_000, 92_000])
  store.records.splice(0, store.records.length, ...store.records.filter((record) => record.class === 'minute'))
  expect((await readAll()).map(({ timestamp }) => timestamp - WALL)).toEqual([30_000, 90_000, 150_000])
})
