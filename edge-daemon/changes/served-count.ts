import type { Served } from './slot-state.ts'

/** No answers yet. */
export const NOTHING_SERVED: Served = { requests: 0, failed: 0, slow: 0 }

/** Counts the answers since an activation from counters that begin with the daemon. */
export class ServedCount {
  readonly #counters: () => Served
  #before: Served = NOTHING_SERVED
  #since: Served = NOTHING_SERVED

  constructor(counters: () => Served) {
    this.#counters = counters
  }

  /** An activation begins to serve now. */
  begin(): void {
    this.#before = NOTHING_SERVED
    this.#since = this.#counters()
  }

  /** Go on with what an earlier daemon counted. */
  resume(before: Served): void {
    this.#before = before
    this.#since = NOTHING_SERVED
  }

  now(): Served {
    const now = this.#counters()
    const before = this.#before
    const since = this.#since
    return {
      requests: before.requests + Math.max(0, now.requests - since.requests),
      failed: before.failed + Math.max(0, now.failed - since.failed),
      slow: before.slow + Math.max(0, now.slow - since.slow),
    }
  }
}
