import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { SearcherSettings, ToSearcher } from './messages.ts'
import { SearchService } from './search-service.ts'

/** The lowest: this thread runs in what the others leave. */
const NICE = 19

/** Entry of the thread that looks through kept log lines for the thread that started it. */
function main(): void {
  const port = parentPort
  if (port === null) return
  // On Linux it is the priority of the thread that calls; elsewhere it would be that of the whole daemon.
  if (process.platform === 'linux') setPriority(0, NICE)
  const settings: SearcherSettings = workerData
  const clock = {
    nowMs: () => performance.now(),
    later: (call: () => void, ms: number): void => {
      if (ms >= 1) setTimeout(call, ms)
      else setImmediate(call)
    },
  }
  const service = new SearchService(settings, clock, (message) => port.postMessage(message))
  port.on('message', (message: ToSearcher) => service.receive(message))
}

main()
