import type { LocalGates, ShadowReport } from '../../protocol/change.ts'
import type { Fault } from './slot.ts'
import type { Served } from './slot-state.ts'

/**
 * Whether what is on probation goes beyond the node's own limits; null while it does not, or while too little came to
 * judge by: no data is neither pass nor fail (architecture decision 12).
 */
export function judgeLocally(
  gates: LocalGates,
  served: Served,
  compared: Pick<ShadowReport, 'compared' | 'agreed'> | null,
): Fault | null {
  const { requests, failed, slow } = served
  if (requests >= gates.minRequests) {
    if (isOver(failed, requests, gates.maxFailedPct)) {
      return { kind: 'errors', msg: `${share(failed, requests)} failed, and ${gates.maxFailedPct} % may` }
    }
    if (isOver(slow, requests, gates.maxSlowPct)) {
      return { kind: 'slow', msg: `${share(slow, requests)} took too long, and ${gates.maxSlowPct} % may` }
    }
  }
  if (compared !== null && compared.compared >= gates.minRequests) {
    const other = compared.compared - compared.agreed
    if (isOver(other, compared.compared, gates.maxDisagreePct)) {
      const what = `${share(other, compared.compared)} were answered otherwise than before`
      return { kind: 'disagrees', msg: `${what}, and ${gates.maxDisagreePct} % may be` }
    }
  }
  return null
}

function isOver(part: number, all: number, maxPct: number): boolean {
  return part * 100 > maxPct * all
}

function share(part: number, all: number): string {
  return `${part} of ${all} (${Math.round((part / all) * 1000) / 10} %)`
}
