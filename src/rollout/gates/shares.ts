import type { GateFinding, GateLimits } from '../contract.ts'
import type { GateInput } from './contract.ts'
import { logEvidence, type Tally } from './evidence.ts'
import {
  clipped,
  type Expectation,
  type Expectations,
  expectations,
  hasTraffic,
  type Measure,
  sumOf,
} from './expected.ts'
import { againstLimit, againstPeers, type Words } from './words.ts'

/** A share of requests that gates watch. */
export interface Share {
  readonly gate: 'failed' | 'slow'
  readonly measure: Measure
  readonly words: Words
  readonly limitPct: number
}

/** Part of a limit that nobody minds: shares are compared from there on, so that two failures are not twice as bad as one. */
const HARMLESS = 0.15
/** Multiples of `worseFactor`, and of a limit, that evidence is gathered for. */
const WORSE = [1, 2, 5]
const OVER = [1.5, 3, 10]
/** Smallest share that anything is compared with, so that a limit of 0 is one. */
const LEAST_SHARE = 1e-6
/** Squared relative uncertainty of a node's own share against a limit. */
const NODE_SPREAD = 0.0625

/**
 * Judge one share of the changed nodes: against its limit, and against nodes that have not changed yet as long as there are
 * any. `threshold` is the log evidence from which on it fails. Over the limit fails only what is not so at the unchanged
 * nodes too, or was so before.
 */
export function judgeShare(input: GateInput, share: Share, threshold: number): GateFinding[] {
  const { limits } = input
  const limit = Math.max(LEAST_SHARE, share.limitPct / 100)
  const options = { floor: limit * HARMLESS, minRequests: limits.minRequests }
  const found = expectations(input, share.measure, options)
  const all = sumOf(input.changed.filter(hasTraffic))
  const tooFew = all.requests < limits.minRequests
  return input.unchanged.length === 0 ? [limitFinding()] : [limitFinding(), peerFinding()]

  function limitFinding(): GateFinding {
    const units = limitUnits(input, found, share.measure, limit)
    const expected = units.reduce((total, unit) => total + unit.expected, 0)
    const observed = share.measure(all)
    const tallies = (some: readonly Unit[]) => [pooled(some, found.dispersion)]
    const isProved = isWorse(tallies, units, OVER, threshold)
    const isOver = observed > limit * all.requests
    // Where peers are far over the limit themselves, some more or fewer than at them are chance.
    const isFarOver = expected > 2 * limit * all.requests
    const isLikeOthers =
      isFarOver && logEvidence([{ ...pooled(units, found.dispersion), observed }], OVER.slice(0, 1)) <= 0
    const isWell = observed <= expected || isLikeOthers
    const isExplained = isOver && isWell
    const verdict = tooFew ? 'inconclusive' : isProved ? 'fail' : isWell ? 'pass' : 'inconclusive'
    const msg = againstLimit(share.words, { observed, requests: all.requests, limitPct: share.limitPct, isExplained })
    return {
      gate: share.gate,
      against: 'limit',
      verdict,
      msg,
      changed: all,
      baseline: isExplained ? found.peers : null,
    }
  }

  function peerFinding(): GateFinding {
    const units = peerUnits(found)
    const requests = units.reduce((total, unit) => total + unit.requests, 0)
    const observed = units.reduce((total, unit) => total + unit.observed, 0)
    const expected = units.reduce((total, unit) => total + unit.expected, 0)
    const tallies = (some: readonly Unit[]) => byStratum(some, found)
    const factors = WORSE.map((times) => Math.max(1.05, limits.worseFactor) * times)
    const isProved = isWorse(tallies, units, factors, threshold)
    const leans = logEvidence(tallies(units), factors.slice(0, 1)) > 0
    // Below so many times what is harmless nothing is severe, whatever was to be expected.
    const atFloor = { observed, expected: options.floor * requests, spread: 0, dispersion: found.dispersion }
    const isTold = wouldHaveShown([tallies(units), [atFloor]], limits)
    const few = requests < limits.minRequests || found.peers.requests < limits.minRequests
    const verdict = few ? 'inconclusive' : isProved ? 'fail' : leans || !isTold ? 'inconclusive' : 'pass'
    const msg = againstPeers(share.words, {
      observed,
      requests,
      expected,
      peers: { observed: share.measure(found.peers), requests: found.peers.requests },
      worseFactor: limits.worseFactor,
      floor: options.floor,
      notExcluded: verdict === 'inconclusive' && !few && !isTold ? (limits.severeFactor ?? null) : null,
    })
    return { gate: share.gate, against: 'baseline', verdict, msg, changed: all, baseline: found.peers }
  }
}

/**
 * Whether an item that is `severeFactor` times worse would have shown: the likelihood is against it by so much that it goes
 * unseen with a chance of at most `missed`, however often somebody looks (the same test from the other side). Always so where
 * the strategy asks for nothing.
 */
function wouldHaveShown(ways: readonly (readonly Tally[])[], { severeFactor = 1, missed = 1 }: GateLimits): boolean {
  if (severeFactor <= 1) return true
  return ways.some((tallies) => logEvidence(tallies, [severeFactor]) <= Math.log(missed))
}

/** What one node says, or one site where no node is left to compare with: the least that can be left out. */
interface Unit extends Expectation {
  readonly stratum: number
  readonly isBorrowed: boolean
}

/**
 * Enough evidence from all, and half of it without the one that speaks most against the change, where there are three or
 * more: a node that fell ill for itself stops no rollout, its own gates take it back. Nor does a site alone that is compared
 * with other sites.
 */
function isWorse<U extends Unit>(
  tallies: (units: readonly U[]) => readonly Tally[],
  units: readonly U[],
  factors: readonly number[],
  threshold: number,
): boolean {
  if (units.length === 0 || logEvidence(tallies(units), factors) < threshold) return false
  if (units.length < 3 && !units.some(({ isBorrowed }) => isBorrowed)) return true
  const worst = units.reduce((a, b) => (b.observed - b.expected > a.observed - a.expected ? b : a))
  return logEvidence(tallies(units.filter((unit) => unit !== worst)), factors) >= threshold / 2
}

function pooled(units: readonly Expectation[], dispersion: number): Tally {
  const expected = units.reduce((total, unit) => total + unit.expected, 0)
  return {
    observed: units.reduce((total, unit) => total + clipped(unit.observed, unit.expected), 0),
    expected,
    spread: units.reduce((total, unit) => total + (unit.expected / expected) ** 2 * unit.ownSpread, 0),
    dispersion,
  }
}

/**
 * Changed nodes against the limit, or against what their own past, or peers of now, explain where that is more. Nodes of a
 * site where nobody is left to compare with speak with one voice.
 */
function limitUnits(input: GateInput, found: Expectations, measure: Measure, limit: number): Unit[] {
  const explained = new Map(
    found.strata.flatMap(({ changed, spread, isBorrowed }) =>
      changed.map((one) => [one.key, { ...one, isBorrowed, spread }] as const),
    ),
  )
  const alone = new Map<string, Unit[]>()
  const units: Unit[] = []
  for (const { key, site, since, before } of input.changed.filter(hasTraffic)) {
    const was = before === null || !(before.requests > 0) ? 0 : measure(before) / before.requests
    const atLimit = Math.max(limit, Math.min(1, was)) * since.requests
    const own = explained.get(key)
    const isMore = own !== undefined && own.expected > atLimit
    const unit = {
      key,
      stratum: 0,
      requests: since.requests,
      observed: measure(since),
      expected: isMore ? own.expected : atLimit,
      ownSpread: isMore ? own.ownSpread + own.spread : NODE_SPREAD,
      isBorrowed: false,
    }
    if (own === undefined || own.isBorrowed) alone.set(site, [...(alone.get(site) ?? []), unit])
    else units.push(unit)
  }
  return [...units, ...[...alone.values()].map((some) => ({ ...asOne(some), stratum: 0, isBorrowed: false }))]
}

function peerUnits(found: Expectations): Unit[] {
  return found.strata.flatMap(({ changed, isBorrowed }, stratum) =>
    (isBorrowed ? [asOne(changed)] : changed).map((one) => ({ ...one, stratum, isBorrowed })),
  )
}

function asOne(some: readonly Expectation[]): Expectation {
  const { expected, spread } = pooled(some, 1)
  return {
    key: some.map(({ key }) => key).join(' '),
    requests: some.reduce((total, one) => total + one.requests, 0),
    observed: some.reduce((total, one) => total + one.observed, 0),
    expected,
    ownSpread: spread,
  }
}

function byStratum(units: readonly Unit[], found: Expectations): Tally[] {
  return found.strata.flatMap(({ spread }, index) => {
    const some = units.filter(({ stratum }) => stratum === index)
    if (some.length === 0) return []
    const tally = pooled(some, found.dispersion)
    return [{ ...tally, spread: tally.spread + spread }]
  })
}
