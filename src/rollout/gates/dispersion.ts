import type { Counts } from '../contract.ts'

/** A count and what was to be expected of it. */
export interface Residual {
  readonly seen: number
  readonly expected: number
}

/**
 * Variance over mean of counts that should differ by chance alone (Pearson), drawn to `PRIOR_DISPERSION` while there are
 * few; at least 1.
 * @param freedom counts that are free: those given less the means that were estimated from them
 */
export function dispersionOf(counts: readonly Residual[], freedom: number, prior: number = PRIOR_DISPERSION): number {
  const known = counts.filter(({ expected }) => expected > 0)
  const chi2 = known.reduce((sum, { seen, expected }) => sum + (seen - expected) ** 2 / expected, 0)
  return Math.max(1, (chi2 + prior * PRIOR_COUNTS) / (Math.max(0, freedom) + PRIOR_COUNTS))
}

/**
 * The same from what one side counted between looks at it: bursts show in time, also where there are no nodes to compare.
 * @param sides of each the sums of all its nodes since the stretch began, look by look
 */
export function dispersionInTime(sides: readonly (readonly Counts[])[], measure: (counts: Counts) => number): number {
  const parts = sides.flatMap((looks) => partsOf(looks, measure))
  return dispersionOf(
    parts.flatMap(({ residuals }) => residuals),
    parts.reduce((sum, { residuals }) => sum + residuals.length - 1, 0),
  )
}

/** What came between looks; nothing where a node was missing in one of them, or nothing was counted. */
function partsOf(
  looks: readonly Counts[],
  measure: (counts: Counts) => number,
): { readonly residuals: readonly Residual[] }[] {
  const between: { requests: number; seen: number }[] = []
  let from: Counts = { requests: 0, failed: 0, slow: 0 }
  for (const look of looks) {
    const requests = look.requests - from.requests
    const seen = measure(look) - measure(from)
    if (requests > 0 && seen >= 0) between.push({ requests, seen })
    from = look
  }
  const seen = between.reduce((sum, part) => sum + part.seen, 0)
  const requests = between.reduce((sum, part) => sum + part.requests, 0)
  if (seen === 0) return []
  return [{ residuals: between.map((part) => ({ seen: part.seen, expected: (part.requests * seen) / requests })) }]
}

const PRIOR_DISPERSION = 2
const PRIOR_COUNTS = 3
