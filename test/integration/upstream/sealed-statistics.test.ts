import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import type { StoreKey } from '../../../edge-daemon/store/seal.ts'
import { openStore, type Store } from '../../../edge-daemon/store/store.ts'
import { Aggregator } from '../../../edge-daemon/upstream/aggregate.ts'
import type { StatRecord } from '../../../protocol/records.ts'
import { normalResults } from '../../support/results.ts'
import { storeFolder } from '../../support/store-folder.ts'
import { keptLog } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 10 }
const [A, B] = [1, 2].map((id): StoreKey => ({ id, secret: new Uint8Array(randomBytes(32)) })) as [StoreKey, StoreKey]

async function counts(store: Store): Promise<number[]> {
  const stats = await store.read({ classes: ['stat'], limit: 100 })
  return stats.map(({ line }) => (JSON.parse(line) as StatRecord).count)
}

test.each([
  ['the last statistic', B],
  ['what was not counted yet', A],
])('counts every result once when %s is sealed under a key that is missing for a while', async (_, away) => {
  using folder = storeFolder()
  const options = { dir: folder.dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 1e6 }
  const aggregators: Aggregator[] = []
  const log = keptLog()
  const begin = async (store: Store): Promise<void> => {
    const aggregator = new Aggregator({ store, aggregateCount: 10, aggregateEveryMs: 60_000, log, retryMs: 5 })
    aggregators.push(aggregator)
    await aggregator.start()
  }
  const ring = (keys: readonly StoreKey[]) => ({ keys, lost: [] })

  const first = await openStore({ ...options, keys: ring([A]) })
  // Without a statistic at all in the second case: its results are those that are sealed away.
  await first.append(normalResults(10))
  await first.changeKeys(ring([A, B]))
  if (away === B) await begin(first)
  else await first.append(normalResults(5))
  await vi.waitFor(async () => expect(await counts(first)).toEqual(away === B ? [10] : []), SOON)
  await aggregators[0]?.stop()
  await first.close()

  const store = await openStore({ ...options, keys: ring([A, B].filter((key) => key !== away)) })
  await begin(store)
  await store.append(normalResults(3))
  await vi.waitFor(() => expect(log.lines.join()).toMatch(/warn aggregate.unread .*sealed under key/), SOON)
  expect(await counts(store)).toEqual([])
  await store.changeKeys(ring([A, B]))
  await vi.waitFor(() => expect(log.lines.at(-1)).toMatch('info aggregate.read'), SOON)
  await store.append(normalResults(away === B ? 7 : 2))
  await vi.waitFor(async () => expect(await counts(store)).toEqual([10, 10]), SOON)
  await aggregators.at(-1)?.stop()
  await store.close()
})
