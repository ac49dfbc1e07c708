import { readFileSync } from 'node:fs'

const LOOK_EVERY_MS = 1000
const SHELL = /^(?:ba|da|z|k|a)?sh$/

/**
 * Tell when the program that started this one is gone, also when a shell stands between the two, as with npm's
 * scripts. For programs run by npm: killed, npm cannot pass anything on, and what it ran would stay behind. Returns how
 * to stop watching.
 */
export function watchParent(onGone: () => void): () => void {
  const before = starters()
  const timer = setInterval(() => {
    if (starters() === before) return
    clearInterval(timer)
    onGone()
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** Ids of the processes above this one, up to the first that is no shell; only the parent where there is no `/proc`. */
function starters(): string {
  const pids = [process.ppid]
  for (let above = shellParent(process.ppid); above !== null; above = shellParent(above)) pids.push(above)
  return pids.join(' ')
}

/** Parent of a process if that process is a shell, else null. */
function shellParent(pid: number): number | null {
  try {
    const [, name = '', parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return SHELL.test(name) && parent !== undefined ? Number(parent) : null
  } catch {
    return null
  }
}
