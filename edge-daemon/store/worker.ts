import { parentPort, workerData } from 'node:worker_threads'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { LogEngine } from './engine.ts'
import type { ToWorker, WorkerSettings } from './messages.ts'
import { type PostMessage, StoreService } from './service.ts'

/** Entry of the store's worker thread: opens the log of its settings and serves it to the thread that started it. */
function main(): void {
  const port = parentPort
  if (port === null) return
  const post: PostMessage = (message, moved = []): void => port.postMessage(message, moved)
  const settings: WorkerSettings = workerData
  let engine: LogEngine
  try {
    engine = LogEngine.open(settings)
  } catch (error) {
    const known = error instanceof EdgeError
    post({
      t: 'unopened',
      code: known ? error.code : 'STORE_UNUSABLE',
      message: messageOf(error),
      next: known ? error.next : [],
    })
    return
  }
  const service = new StoreService(engine, post, () => port.close(), settings.syncEveryMs)
  port.on('message', (message: ToWorker) => service.receive(message))
  post({ t: 'opened', epoch: engine.epoch, chains: engine.targets.chains(), forks: engine.forks, view: service.view() })
}

main()
