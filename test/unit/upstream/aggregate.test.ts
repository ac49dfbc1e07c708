import { expect, test, vi } from 'vitest'
import { Aggregator } from '../../../edge-daemon/upstream/aggregate.ts'
import { type StatRecord, statRecordSchema } from '../../../protocol/records.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { normalResults } from '../../support/results.ts'
import { keptLog, someRecords } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 5 }

function aggregatorOf(store: MemoryStore, aggregateEveryMs = 60_000): Aggregator {
  return new Aggregator({ store, aggregateCount: 10, aggregateEveryMs, log: keptLog(), retryMs: 20 })
}

function statsIn(store: MemoryStore): StatRecord[] {
  return store.records
    .filter((record) => record.class === 'stat')
    .map((r) => statRecordSchema.parse(JSON.parse(r.line)))
}

/** The law of statistics: ranges do not overlap and every result but the open ones lies in exactly one. */
function expectEveryResultOnce(store: MemoryStore): void {
  const stats = statsIn(store)
  let previousLast = 0
  for (const stat of stats) {
    expect(stat.first_seq).toBeGreaterThan(previousLast)
    const covered = store.records.filter(
      ({ class: name, seq }) => name === 'normal' && seq >= stat.first_seq && seq <= stat.last_seq,
    )
    expect(stat.count).toBe(covered.length)
    const between = store.records.filter(
      ({ class: name, seq }) => name === 'normal' && seq > previousLast && seq < stat.first_seq,
    )
    expect(between).toEqual([])
    previousLast = stat.last_seq
  }
}

test('folds a statistic per count of results, with ranges that meet', async () => {
  const store = new MemoryStore()
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  await store.append(normalResults(10))
  await store.append(someRecords('alert', 3))
  await store.append(normalResults(25))
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(3), SOON)
  await aggregator.stop()

  const [first, second, third] = statsIn(store)
  expect(first).toMatchObject({
    first_seq: 1,
    last_seq: 10,
    from: 1_793_000_000_000,
    to: 1_793_000_000_009,
    count: 10,
    ok: 10,
    success_rate: 1,
    over_rate: {},
    mean_ms: 5.5,
    latency: { count: 10, sumMs: 55, maxMs: 10 },
  })
  expect(first?.p50_ms).toBeCloseTo(5, 0)
  expect(first?.p99_ms).toBe(10)
  expect(second?.first_seq).toBe(11)
  expect(third?.first_seq).toBe((second?.last_seq ?? 0) + 1)
  expectEveryResultOnce(store)
})

test('counts what failed and what was over the rate by reason', async () => {
  const store = new MemoryStore()
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  await store.append([
    ...normalResults(5),
    ...normalResults(3, { code: 500, reason: 'failed', over_rate: true }),
    ...normalResults(2, { reason: 'low_confidence', over_rate: true }),
  ])
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(1), SOON)
  await aggregator.stop()
  expect(statsIn(store)[0]).toMatchObject({
    count: 10,
    ok: 7,
    success_rate: 0.7,
    over_rate: { failed: 3, low_confidence: 2 },
  })
})

test('writes a statistic that is not full when its time is over', async () => {
  const store = new MemoryStore()
  const aggregator = aggregatorOf(store, 30)
  await aggregator.start()
  await store.append(normalResults(3))
  await vi.waitFor(() => expect(statsIn(store)).toMatchObject([{ first_seq: 1, last_seq: 3, count: 3 }]), SOON)
  await aggregator.stop()
})

test('at start folds exactly what lies behind the last statistic, however it ended', async () => {
  const store = new MemoryStore()
  for (let round = 0; round < 6; round += 1) {
    const aggregator = aggregatorOf(store)
    const started = aggregator.start()
    // Some are committed while the past is still read.
    await store.append(normalResults(7))
    await started
    await store.append(normalResults(6))
    await aggregator.stop()
  }
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  await vi.waitFor(() => expect(statsIn(store).reduce((sum, { count }) => sum + count, 0)).toBe(70), SOON)
  await aggregator.stop()
  expectEveryResultOnce(store)
})

test('reads a long past page by page', async () => {
  const store = new MemoryStore()
  await store.append(normalResults(4005))
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  await vi.waitFor(() => expect(statsIn(store).reduce((sum, { count }) => sum + count, 0)).toBe(4000), SOON)
  await aggregator.stop()
  expectEveryResultOnce(store)
})

test('goes on folding while the disk refuses statistics, and writes them once it takes them', async () => {
  const store = new MemoryStore()
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  const append = store.append.bind(store)
  let kept = 0
  // Results are kept, statistics are not; the third refusal lies: the records are kept all the same.
  store.append = async (records) => {
    if (records[0]?.class !== 'stat' || kept > 3) return append(records)
    kept += 1
    if (kept === 3) await append(records)
    return { stored: false, code: 'STORE_FAILING', msg: 'no space left' }
  }
  for (let n = 0; n < 5; n += 1) await store.append(normalResults(10))
  await vi.waitFor(() => expect(statsIn(store).reduce((sum, { count }) => sum + count, 0)).toBe(50), SOON)
  await store.append(normalResults(10))
  await vi.waitFor(() => expect(statsIn(store).at(-1)?.last_seq).toBeGreaterThan(50), SOON)
  await aggregator.stop()
  expectEveryResultOnce(store)
})

test('a statistic never spans two epochs, and names the epoch of its results when it is another', async () => {
  const store = new MemoryStore()
  const first = aggregatorOf(store)
  await first.start()
  await store.append(normalResults(14))
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(1), SOON)
  await first.stop()
  const before = store.epoch
  store.epoch = 'f'.repeat(32)
  await store.append(someRecords('ledger', 1))
  const second = aggregatorOf(store)
  await second.start()
  await store.append(normalResults(10))
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(3), SOON)
  await second.stop()
  expect(statsIn(store).slice(1)).toMatchObject([
    { epoch: before, first_seq: 11, last_seq: 14, count: 4 },
    { first_seq: 17, last_seq: 26, count: 10 },
  ])
  expect(statsIn(store)[2]).not.toHaveProperty('epoch')
})

test('counts results too whose commit nobody heard of, since the worker of the store died with its word', async () => {
  const store = new MemoryStore()
  const aggregator = aggregatorOf(store)
  await aggregator.start()
  await store.append(normalResults(4))
  store.dying = true
  await store.append(normalResults(3))
  store.dying = false
  await store.append(normalResults(13))
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(2), SOON)
  await aggregator.stop()
  expect(statsIn(store).map(({ count }) => count)).toEqual([10, 10])
  expectEveryResultOnce(store)
})

test('a disk that refuses for long is told once, and so is its return', async () => {
  const store = new MemoryStore()
  const log = keptLog()
  const aggregator = new Aggregator({ store, aggregateCount: 10, aggregateEveryMs: 60_000, log, retryMs: 5 })
  await aggregator.start()
  let tries = 0
  const append = store.append.bind(store)
  store.append = async (records) => {
    if (records[0]?.class !== 'stat') return append(records)
    tries += 1
    return tries <= 4 ? { stored: false, code: 'STORE_FAILING', msg: 'ENOSPC' } : append(records)
  }
  await store.append(normalResults(10))
  await vi.waitFor(() => expect(statsIn(store)).toHaveLength(1), SOON)
  await aggregator.stop()
  expect(tries).toBe(5)
  expect(log.lines).toEqual([
    'warn aggregate.refused statistics wait for the disk: ENOSPC',
    'info aggregate.kept the statistics that waited for the disk are kept',
  ])
})
