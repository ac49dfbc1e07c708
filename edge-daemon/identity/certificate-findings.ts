import type { Condition } from '../../protocol/status.ts'
import type { NodeIdentity } from './node-identity.ts'
import { renewalDueMs } from './renewal.ts'
import { instant, lasting } from './time-words.ts'

/** What is wrong with a node, before it is known since when. */
export type Finding = Omit<Condition, 'since'>

/** How a node stands with its controllers. */
export interface Standing {
  /** Unix ms of this machine's clock; null while one answers. */
  readonly unreachableSince: number | null
  readonly unreachable: string | null
  /** Why the last renewal was not made, though a controller answered. */
  readonly notRenewed: string | null
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** A renewal has failed for this long before anybody is told: the controller may just be restarted. */
const RENEWAL_PATIENCE_MS = DAY_MS
const CRITICAL_LEFT_MS = 3 * DAY_MS
const CLOCK_OFF_MS = 2 * MINUTE_MS
const UNREACHABLE_MS = 10 * MINUTE_MS

/** What is wrong with the certificate, the clock and the way to the controllers of a node. Pure but for the clocks. */
export function findingsOf(
  identity: Pick<NodeIdentity, 'leaf' | 'clock' | 'deny' | 'files' | 'ownFault'>,
  standing: Standing,
  wallMs: number = Date.now(),
): Finding[] {
  const { clock, leaf, ownFault } = identity
  const found: Finding[] = []
  const leftMs = leaf.validToDate.getTime() - clock.nowMs()
  const overdueMs = clock.nowMs() - renewalDueMs(leaf)
  const why = reasonOf(identity, standing)
  if (ownFault !== null) {
    found.push({ code: 'certificate_ending', severity: 'critical', msg: `${ownFault}, ${why}` })
  } else if (leftMs < 0 && !clock.isConfirmed) {
    const msg = `by the clock of this machine the certificate ended ${lasting(-leftMs)} ago, and no controller has told the time since the start (${why}): the clock or the certificate is wrong, and nobody is let in by a newer one`
    found.push({ code: 'clock_unsure', severity: 'critical', msg })
  } else if (
    overdueMs > RENEWAL_PATIENCE_MS ||
    leftMs < CRITICAL_LEFT_MS ||
    (overdueMs > 0 && standing.notRenewed !== null)
  ) {
    const ends = leftMs < 0 ? `ended ${lasting(-leftMs)} ago` : `ends in ${lasting(leftMs)}`
    const severity = leftMs < CRITICAL_LEFT_MS ? 'critical' : 'warning'
    found.push({ code: 'certificate_ending', severity, msg: `the certificate ${ends}, ${why}` })
  }
  const aheadMs = clock.wallAheadMs
  if (Math.abs(aheadMs) > CLOCK_OFF_MS) {
    const how = aheadMs > 0 ? 'ahead of' : 'behind'
    const msg = `the clock of this machine is ${lasting(Math.abs(aheadMs))} ${how} the fleet's, by which certificates are judged; let NTP set it`
    found.push({ code: 'clock_off', severity: 'warning', msg })
  }
  const { unreachableSince } = standing
  if (unreachableSince !== null && wallMs - unreachableSince > UNREACHABLE_MS) {
    const list = identity.deny === null ? 'none' : `of ${instant(identity.deny.issuedAt)}`
    const msg = `no controller answers since ${instant(unreachableSince)}; the deny list is ${list} (${standing.unreachable ?? ''})`
    found.push({ code: 'controller_unreachable', severity: 'warning', msg })
  }
  return found
}

function reasonOf(
  { files }: Pick<NodeIdentity, 'files'>,
  { notRenewed, unreachable, unreachableSince }: Standing,
): string {
  if (notRenewed !== null) return `and was not renewed: ${notRenewed}`
  if (unreachable !== null) return `controller unreachable since ${instant(unreachableSince ?? 0)}: ${unreachable}`
  const { controllers } = files.enrolment() ?? { controllers: [] }
  if (controllers.length === 0)
    return 'and no controller is known: carry a request by hand, edge-daemon join --request FILE'
  return 'and a controller is being asked'
}
