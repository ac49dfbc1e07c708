/** How long to wait between attempts. */
export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
}

/** Quick enough that a node that comes back is seen at once, slow enough for a fleet that is down. */
export const DEFAULT_BACKOFF: Backoff = { minMs: 200, maxMs: 5000 }

/** Long enough that a node which floods for seconds, then is cut, costs next to nothing on the whole. */
export const DEFAULT_PENALTY: Backoff = { minMs: 15_000, maxMs: 600_000 }

/**
 * Wait before attempt `attempt` + 1 (attempts count from 1): doubles from `minMs` to `maxMs`, less up to half by
 * `random` in [0, 1), so that 200 links do not knock at the same moment.
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const full = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(attempt - 1, 20))
  return Math.round(full * (1 - random / 2))
}
