import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { JournalFollower } from '../journal/journal-follower.ts'
import type { FollowerStart, FromFollower, ToFollower } from './contract.ts'
import { Follower } from './follower.ts'

/** Log work gives way to inference: on Linux a thread has a priority of its own. */
const NICE = 10
const STATUS_MS = 1000

/** Entry of the follower's thread: reads logs and hands their records to the thread that started it. */
function main(): void {
  const port = parentPort
  if (port === null) return
  const post = (message: FromFollower): void => port.postMessage(message)
  const start: FollowerStart = workerData
  try {
    setPriority(0, NICE)
  } catch {
    // Where a thread may not lower itself it works as any other; the allowance bounds it.
  }
  const follower = new Follower(start, {
    send: (batch) => post({ t: 'batch', batch }),
    notice: (notice) => post({ t: 'notice', notice }),
  })
  follower.begin()
  const journal = new JournalFollower(start.settings, follower, (notice) => post({ t: 'notice', notice }))
  journal.start()
  let timer: NodeJS.Timeout | NodeJS.Immediate | null = null
  const tell = (): void => {
    const status = follower.status()
    post({ t: 'status', status: { ...status, faults: [...status.faults, ...journal.faults()] } })
  }
  const cancel = (): void => {
    if (timer !== null) {
      clearTimeout(timer as NodeJS.Timeout)
      clearImmediate(timer as NodeJS.Immediate)
    }
  }
  const work = (): void => {
    const waitMs = follower.work()
    // Between two stretches of work, what the store answered is heard.
    timer = waitMs === 0 ? setImmediate(work) : setTimeout(work, waitMs)
  }
  const telling = setInterval(tell, STATUS_MS)
  port.on('message', (message: ToFollower) => {
    if (message.t === 'kept') {
      follower.kept(message.number, message.seq)
      cancel()
      timer = setImmediate(work)
      return
    }
    clearInterval(telling)
    cancel()
    journal.stop()
    follower.end()
    tell()
    post({ t: 'stopped' })
    port.close()
  })
  work()
}

main()
