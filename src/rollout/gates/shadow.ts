import type { ShadowReport } from '../../../protocol/change.ts'
import type { GateFinding, GateVerdict, ShadowPlan } from '../contract.ts'
import { worstOf } from './judge.ts'
import { plain, shareText } from './words.ts'

/**
 * Judge what a shadow saw of one candidate before it serves: the share of pictures on which it said something else or failed
 * where the current one did not, and of a labelled set how many more it gets wrong. While it is not done it can only be
 * inconclusive: a shadow serves nobody, there is no hurry.
 */
export function judgeShadow(report: ShadowReport, plan: ShadowPlan): GateVerdict {
  const findings = [differs(report, plan), ...labelled(report, plan)]
  return { verdict: worstOf(findings), findings }
}

function differs(report: ShadowReport, plan: ShadowPlan): GateFinding {
  const pictures = report.compared + report.errors
  const disagreed = pictures - report.agreed
  const share = pictures === 0 ? 0 : (100 * disagreed) / pictures
  const said = shareText({ did: 'differed from the current one', of: 'pictures' }, disagreed, pictures)
  const failed = report.errors === 0 ? '' : `, on ${plain(report.errors)} only the candidate failed`
  return finding(
    'disagrees',
    !report.isDone || pictures === 0 ? 'inconclusive' : share > plan.maxDisagreePct ? 'fail' : 'pass',
    pictures === 0 ? 'no picture was compared' : `${said}, limit ${plan.maxDisagreePct} %${failed}`,
  )
}

function labelled(report: ShadowReport, plan: ShadowPlan): GateFinding[] {
  const { labelled: seen } = report
  if (seen === undefined) {
    return plan.source === 'labelled' ? [finding('labelled', 'inconclusive', 'the labelled set was not run')] : []
  }
  const points = seen.total === 0 ? 0 : (100 * (seen.currentRight - seen.candidateRight)) / seen.total
  const right = `${plain(seen.candidateRight)} of ${plain(seen.total)} labelled pictures right, the current one ${plain(seen.currentRight)}`
  const worse = `${Math.max(0, points).toFixed(1)} points worse, limit ${plan.maxWorsePoints}`
  return [
    finding(
      'labelled',
      !report.isDone || seen.total === 0 ? 'inconclusive' : points > plan.maxWorsePoints ? 'fail' : 'pass',
      `${right}: ${worse}`,
    ),
  ]
}

function finding(gate: GateFinding['gate'], verdict: GateFinding['verdict'], msg: string): GateFinding {
  return { gate, against: 'limit', verdict, msg, changed: null, baseline: null }
}
