import type { GateFinding, GateVerdict } from './contract.ts'

/**
 * What a verdict that is neither pass nor fail lacks, for people, each once: requests of a side that are too few, pictures
 * that were not compared, or the figures that lean to neither side.
 * @param minRequests of the strategy: fewer of a side decide nothing
 */
export function missingIn({ findings }: GateVerdict, minRequests: number): readonly string[] {
  const open = findings.filter(({ verdict }) => verdict === 'inconclusive')
  return [...new Set(open.flatMap((finding) => lacks(finding, minRequests)))]
}

function lacks({ against, changed, baseline, msg }: GateFinding, minRequests: number): readonly string[] {
  const few: string[] = []
  if (changed !== null && changed.requests < minRequests) {
    few.push(`${changed.requests} of ${minRequests} requests at changed nodes`)
  }
  if (against === 'baseline' && baseline !== null && baseline.requests < minRequests) {
    few.push(`${baseline.requests} of ${minRequests} requests at nodes not yet changed`)
  }
  return few.length === 0 ? [msg] : few
}
