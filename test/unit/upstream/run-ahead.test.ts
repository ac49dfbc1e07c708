import { expect, test } from 'vitest'
import type { RunRequest } from '../../../edge-daemon/store/contract.ts'
import { RunAhead } from '../../../edge-daemon/upstream/run-ahead.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { someRecords } from '../../support/uplink-bench.ts'

const request = (afterSeq: number, limit = 10): RunRequest => ({ class: 'stat', afterSeq, limit, maxBytes: 1e6 })

async function counted(records: number): Promise<{ store: MemoryStore; runs: RunAhead; reads: () => number }> {
  const store = new MemoryStore()
  await store.append(someRecords('stat', records))
  let reads = 0
  const runs = new RunAhead({
    readRun: (asked) => {
      reads += 1
      return store.readRun(asked)
    },
  })
  return { store, runs, reads: () => reads }
}

test('gives out what was read ahead, once and only in its turn', async () => {
  const { runs, reads } = await counted(40)
  runs.begin(request(10))
  expect(await runs.read(request(10))).toMatchObject({ firstSeq: 11, lastSeq: 20 })
  expect(reads()).toBe(1)
  expect(await runs.read(request(10))).toMatchObject({ firstSeq: 11, lastSeq: 20 })
  runs.begin(request(20))
  expect(await runs.read(request(0))).toMatchObject({ firstSeq: 1 })
  expect(await runs.read(request(20))).toMatchObject({ firstSeq: 21 })
  expect(reads()).toBe(5)
})

test('reads again where blocks have become smaller, where nothing was there yet, and where the store refused', async () => {
  const { store, runs } = await counted(20)
  runs.begin(request(0))
  expect(await runs.read(request(0, 5))).toMatchObject({ firstSeq: 1, lastSeq: 5 })
  runs.begin(request(20))
  await new Promise((resolve) => setTimeout(resolve, 5))
  await store.append(someRecords('stat', 1))
  expect(await runs.read(request(20))).toMatchObject({ firstSeq: 21 })
  const refusing = new RunAhead({ readRun: () => Promise.reject(new Error('not now')) })
  refusing.begin(request(0))
  await expect(refusing.read(request(0))).rejects.toThrow('not now')
})
