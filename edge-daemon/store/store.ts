import { Worker } from 'node:worker_threads'
import { type StartWorker, StoreClient } from './client.ts'
import type { Store, StoreOptions } from './contract.ts'

export type {
  Appended,
  Backlog,
  Chain,
  ChainBlock,
  Chains,
  Cursors,
  Fork,
  NewRecord,
  ReadRequest,
  Store,
  StoredRecord,
  StoreNotice,
  StoreOptions,
} from './contract.ts'
export { WrittenBody } from './contract.ts'

/** Start the store's worker thread: `worker.ts` in a checkout, `store-worker.js` beside a bundle. */
export const startStoreWorker: StartWorker = (settings) => {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.js'
  return new Worker(new URL(file, import.meta.url), { workerData: settings, execArgv: [], name: 'store' })
}

/**
 * Open a store: take its lock, recover its log, start its worker thread.
 * @throws EdgeError `STORE_LOCKED` while another daemon owns it, `STORE_UNUSABLE` when the folder cannot be used.
 */
export async function openStore(options: StoreOptions, startWorker: StartWorker = startStoreWorker): Promise<Store> {
  const client = new StoreClient(options, startWorker)
  await client.open()
  return client
}
