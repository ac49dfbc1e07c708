/** Requests that wait for a later deny list. */
export class DenyWaiters {
  readonly #waiting = new Set<() => void>()

  get size(): number {
    return this.#waiting.size
  }

  /** Resolves when {@link wake} is called, when the time is over, or when `signal` says that nobody waits any more. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      this.#waiting.add(end)
      if (signal.aborted) end()
    })
  }

  /** Let everybody look again. */
  wake(): void {
    for (const end of [...this.#waiting]) end()
  }
}
