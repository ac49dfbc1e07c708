import type { StatusFrame } from '../../../protocol/frames.ts'
import type { Baseline, Counts } from '../contract.ts'

/**
 * What of a daemon's counters concerns a change: requests without those that were the device's fault (`malformed`,
 * `undecodable`), those that failed by the node's fault, and those over 50 ms.
 */
export function countsOf(counters: StatusFrame['inference']['counters']): Counts {
  const requests = Math.max(0, counters.requests - counters.malformed - counters.undecodable)
  return {
    requests,
    failed: Math.min(requests, counters.failed),
    // An undecodable picture may be slow too, so that without those there can be more slow ones than requests.
    slow: Math.min(requests, counters.slow),
  }
}

/**
 * What a node counted between two moments. After a start in between only what came since that start is known, which lies
 * within the stretch. Null when a figure is no count (NaN, negative, broken): no data.
 */
export function countsBetween(
  from: Omit<Baseline, 'criticalAlerts'>,
  to: Omit<Baseline, 'criticalAlerts'>,
): Counts | null {
  if (!isSound(from) || !isSound(to)) return null
  const isNewStart =
    from.instance !== to.instance || to.requests < from.requests || to.failed < from.failed || to.slow < from.slow
  return isNewStart ? { requests: to.requests, failed: to.failed, slow: to.slow } : minus(to, from)
}

/** Whether all figures are counts and none is more than the requests. */
export function isSound({ requests, failed, slow }: Counts): boolean {
  return [requests, failed, slow].every((n) => Number.isSafeInteger(n) && n >= 0 && n <= requests)
}

function minus(a: Counts, b: Counts): Counts {
  const requests = a.requests - b.requests
  return {
    requests,
    failed: Math.min(requests, a.failed - b.failed),
    slow: Math.min(requests, a.slow - b.slow),
  }
}
