import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { Worker } from 'node:worker_threads'

/** The nice value of what is to take as little of the cores as the system knows. */
export const LEAST_PRIORITY = 19
/** Threads that begin meanwhile are as the one that began them: looked at again, so often. */
const MOST_PASSES = 5

/**
 * Give all threads of a process a nice value; Linux keeps one for each, and new ones begin with that of their parent.
 * @returns whether all of them have it; false where the system does not allow it, and for a process that is gone
 */
export function setNice(pid: number, nice: number): boolean {
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    const others = threadsOf(pid).filter((thread) => !hasNice(thread, nice))
    if (others.length === 0) return threadsOf(pid).length > 0
    for (const thread of others) {
      try {
        setPriority(thread, nice)
      } catch {
        // It may be gone; if it is not, the next pass finds it as it was.
      }
    }
  }
  return false
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

function hasNice(thread: number, nice: number): boolean {
  try {
    return getPriority(thread) === nice
  } catch {
    return true
  }
}

const TRY = `
const { getPriority, setPriority } = require('node:os')
const before = getPriority(0)
setPriority(0, ${LEAST_PRIORITY})
setPriority(0, before)
require('node:worker_threads').parentPort.postMessage('lifted')
`

/**
 * Whether this process may make what it has put back as quick as itself again, which on Linux takes CAP_SYS_NICE or a
 * limit that allows it (RLIMIT_NICE, `LimitNICE` of systemd); tried on a thread that has nothing to do.
 */
export function mayLift(): Promise<boolean> {
  if (process.platform !== 'linux') return Promise.resolve(false)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const worker = new Worker(TRY, { eval: true, stdin: false, execArgv: [] })
  worker.on('message', () => resolve(true))
  worker.on('error', () => resolve(false))
  worker.on('exit', () => resolve(false))
  return promise
}
