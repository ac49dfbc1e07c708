/**
 * Evidence that one side fails more often than the other, as a likelihood ratio that may be looked at after every request.
 *
 * A mixture sequential probability ratio test (Robbins 1970; Johari, Koomen, Pekelis, Walsh, "Always Valid Inference", 2022):
 * the ratio is a nonnegative martingale while both sides are alike, so that it ever exceeds 1/α with a chance of at most α
 * (Ville), however often somebody looks. Failures are counted as Poisson with a gamma frailty, which integrates out what is
 * not known of the expected number (the other side's failures are few too) and what makes nodes differ.
 */

/** What of one group of nodes was seen and what would be if the change made no difference. */
export interface Tally {
  readonly observed: number
  readonly expected: number
  /** 1/shape of the frailty: squared relative uncertainty of `expected`; 0 when it is a limit. */
  readonly spread: number
  /** Variance of the count over its mean: 1 when failures are independent, more when they come in bursts. */
  readonly dispersion: number
}

/** Natural log of the likelihood of `factor` times the expected over that of the expected. 0 when nothing is expected. */
export function logRatio({ observed, expected, spread, dispersion }: Tally, factor: number): number {
  if (!(expected > 0)) return 0
  const seen = observed / dispersion
  const mean = expected / dispersion
  if (spread < 1e-9) return seen * Math.log(factor) - (factor - 1) * mean
  const shape = 1 / spread
  return (shape + seen) * Math.log((shape + mean) / (shape + factor * mean)) + seen * Math.log(factor)
}

/** Log evidence that the groups together do worse by one of the factors, which count alike: the mean of their ratios. */
export function logEvidence(tallies: readonly Tally[], factors: readonly number[]): number {
  const logs = factors.map((factor) => tallies.reduce((sum, tally) => sum + logRatio(tally, factor), 0))
  const top = Math.max(...logs)
  return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0) / logs.length)
}
