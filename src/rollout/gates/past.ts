/**
 * What times are like against the time before, by what unchanged nodes count now and what their past lets expect.
 *
 * Peers are few on a small fleet, and what they count says little; that times are mostly as they were says more. So the factor
 * between now and before has a gamma prior around that of the rest of the fleet, mixed with one that allows almost anything:
 * where peers say that times have changed, the past says nothing any more.
 */

/** What a group of unchanged nodes counted, in counts that vary as independent ones do. */
export interface Seen {
  readonly seen: number
  /** By their own past, if times were as before. */
  readonly expected: number
}

/** A factor on what was before, and its squared relative uncertainty. */
export interface Times {
  readonly factor: number
  readonly spread: number
}

/** Squared relative change of a whole fleet between now and before, by the day above all, and of a site beside the fleet. */
const FLEET_DRIFT = 0.13
const SITE_DRIFT = 0.08
/** Chance that something befell a fleet or site by which its past says nothing, and the shape of the prior then. */
const BEFALLEN = 0.05
const ANYTHING = 0.25

/** How a fleet fares against before. */
export function fleetTimes(groups: readonly Seen[]): Times {
  const known = groups.filter(({ expected }) => expected > 0)
  const middle =
    known.length < 3 ? Number.POSITIVE_INFINITY : median(known.map(({ seen, expected }) => seen / expected))
  const all = known.reduce(
    (sum, { seen, expected }) => ({
      // One site that something befell does not speak for all.
      seen: sum.seen + Math.min(seen, SITE_CLIP * middle * expected + 1),
      expected: sum.expected + expected,
    }),
    { seen: 0, expected: 0 },
  )
  return posterior({ factor: 1, spread: FLEET_DRIFT }, all)
}

const SITE_CLIP = 2

/** How a site fares against before, where the fleet fares so. */
export function siteTimes(fleet: Times, site: Seen): Times {
  return posterior({ factor: fleet.factor, spread: fleet.spread + SITE_DRIFT }, site)
}

/** Mean and spread of the factor once the counts are known. */
function posterior(prior: Times, { seen, expected }: Seen): Times {
  const parts = [
    { weight: 1 - BEFALLEN, shape: 1 / prior.spread },
    { weight: BEFALLEN, shape: Math.min(ANYTHING, 1 / prior.spread) },
  ].map(({ weight, shape }) => {
    const rate = shape / prior.factor
    const likelihood = lnGamma(shape + seen) - lnGamma(shape) + shape * Math.log(rate)
    return {
      log: Math.log(weight) + likelihood - (shape + seen) * Math.log(rate + expected),
      mean: (shape + seen) / (rate + expected),
      spread: 1 / (shape + seen),
    }
  })
  const top = Math.max(...parts.map(({ log }) => log))
  const weighed = parts.map((part) => ({ ...part, weight: Math.exp(part.log - top) }))
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0)
  const factor = weighed.reduce((sum, { weight, mean }) => sum + weight * mean, 0) / total
  const square = weighed.reduce((sum, { weight, mean, spread }) => sum + weight * mean ** 2 * (1 + spread), 0) / total
  return { factor, spread: square / factor ** 2 - 1 }
}

/** The middle one; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}

/** Logarithm of the gamma function for positive numbers (Stirling, shifted up). */
function lnGamma(x: number): number {
  let shift = 0
  let y = x
  for (; y < 8; y++) shift += Math.log(y)
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * y) - 1 / (360 * y ** 3) - shift
}
