import type { GateFinding, GateVerdict } from '../contract.ts'
import type { GateInput } from './contract.ts'
import { logEvidence } from './evidence.ts'
import { judgeShare } from './shares.ts'
import { plain, shareText } from './words.ts'

/** Comparisons that may each stop a wave: failed and slow against limit and peers, disagreement, alerts. */
const COMPARISONS = 6
/** Pictures that were compared before disagreement is judged. */
const MIN_PICTURES = 20
/** Share of nodes of which a new critical alert is nothing special. */
const ALERT_SHARE = 0.02
/** Of pictures: squared relative uncertainty, and how much more they vary than by chance. */
const PICTURES = { spread: 0.01, dispersion: 2 }

/**
 * Judge a wave by what changed and unchanged nodes counted over the same time. Fails when there is evidence enough that the
 * new item does worse, passes when there is data enough and none of it leans that way, and is inconclusive else: no data is
 * neither. May be asked as often as one likes: over all waves, comparisons and looks a release that is as good as the one
 * before is stopped with a chance of at most `limits.falseStop` (see `evidence.ts`; proved by simulation in `bench/gates.ts`).
 *
 * Assumed: peers of a site suffer what befalls the site; what a node was like before it is like again, within a fifth; counts
 * of a node vary as those of its peers do (their dispersion is measured, so that bursts and clusters weigh less).
 */
export function judge(input: GateInput): GateVerdict {
  const { limits } = input
  const threshold = Math.log((input.waves * COMPARISONS) / Math.max(1e-9, limits.falseStop))
  const findings = [
    ...judgeShare(
      input,
      {
        gate: 'failed',
        measure: ({ failed }) => failed,
        words: { did: 'failed', of: 'requests' },
        limitPct: limits.maxFailedPct,
      },
      threshold,
    ),
    ...judgeShare(
      input,
      {
        gate: 'slow',
        measure: ({ slow }) => slow,
        words: { did: 'took over 50 ms', of: 'requests' },
        limitPct: limits.maxSlowPct,
      },
      threshold,
    ),
    ...disagreement(input, threshold),
    alerts(input, threshold),
  ]
  return { verdict: worstOf(findings), findings }
}

/** Fail before inconclusive before pass. */
export function worstOf(findings: readonly GateFinding[]): GateVerdict['verdict'] {
  const has = (verdict: GateVerdict['verdict']) => findings.some((finding) => finding.verdict === verdict)
  return has('fail') ? 'fail' : has('inconclusive') ? 'inconclusive' : 'pass'
}

function disagreement(input: GateInput, threshold: number): GateFinding[] {
  const compared = input.changed.flatMap(({ compared }) => (compared === null ? [] : [compared]))
  if (compared.length === 0) return []
  const pictures = compared.reduce((sum, one) => sum + one.pictures, 0)
  const observed = compared.reduce((sum, one) => sum + one.disagreed, 0)
  const expected = Math.max(1e-6, input.limits.maxDisagreePct / 100) * pictures
  const evidence = logEvidence([{ observed, expected, ...PICTURES }], [1.5, 2, 4])
  const least = Math.min(MIN_PICTURES, input.limits.minRequests)
  const isFew = pictures < least
  const said = shareText({ did: 'differed from the item before', of: 'pictures' }, observed, pictures)
  return [
    {
      gate: 'disagrees',
      against: 'limit',
      verdict: isFew ? 'inconclusive' : evidence >= threshold ? 'fail' : observed <= expected ? 'pass' : 'inconclusive',
      msg: isFew
        ? `${plain(pictures)} of ${plain(least)} pictures compared with the item before`
        : `${said}, limit ${input.limits.maxDisagreePct} %`,
      changed: null,
      baseline: null,
    },
  ]
}

/** Nodes with new critical alerts: as many as others have pass, one more waits, several more fail. */
function alerts(input: GateInput, threshold: number): GateFinding {
  const changed = input.changed.filter(({ since }) => since !== null)
  const unchanged = input.unchanged.filter(({ since }) => since !== null)
  const withAlerts = (nodes: GateInput['unchanged']) =>
    nodes.filter(({ newCriticalAlerts }) => newCriticalAlerts > 0).length
  const observed = withAlerts(changed)
  const others = withAlerts(unchanged)
  const share = Math.max(ALERT_SHARE, unchanged.length === 0 ? 0 : others / unchanged.length)
  const expected = share * changed.length
  const spread = share > ALERT_SHARE ? 1 / others : 0
  const evidence = (nodes: number) =>
    logEvidence(
      [{ observed: nodes, expected, spread, dispersion: 1 }],
      [5, 20, 50].map((times) => Math.min(times, 1 / share)),
    )
  const isProved = evidence(observed) >= threshold && (changed.length < 3 || evidence(observed - 1) >= threshold / 2)
  const of = `${plain(observed)} of ${plain(changed.length)} changed nodes have new critical alerts`
  return {
    gate: 'alerts',
    against: 'baseline',
    verdict: isProved ? 'fail' : observed <= expected ? 'pass' : 'inconclusive',
    msg: `${of}, ${plain(others)} of ${plain(unchanged.length)} others`,
    changed: null,
    baseline: null,
  }
}
