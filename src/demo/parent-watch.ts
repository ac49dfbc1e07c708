const LOOK_EVERY_MS = 1000

/**
 * Tell when the process that started this one is gone. For programs run by npm: killed, npm cannot pass anything on,
 * and what it ran would stay behind. Returns how to stop watching.
 */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onGone()
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
