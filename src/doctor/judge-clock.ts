import type { FindingsOf } from './finding.ts'
import { lasting } from './times.ts'

/** Beyond this, ms, operators are told; certificates of operators begin five minutes back. */
const NOTED_MS = 10_000
/** Beyond this, ms, signed commands are refused. */
const WRONG_MS = 120_000

/**
 * Say how far this machine's clock is from one that is believed.
 * @param aheadMs this machine's clock minus the other
 * @param unsureMs what the question itself took
 */
export function judgeOwnClock(aheadMs: number, unsureMs: number, say: FindingsOf): void {
  const far = Math.max(0, Math.abs(aheadMs) - unsureMs)
  const how = `the clock of this machine is ${lasting(aheadMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'} the controller's signed time`
  if (far > WRONG_MS) say.fault('clock', how, 'let NTP set it: timedatectl set-ntp true')
  else if (far > NOTED_MS) say.warning('clock', how, 'let NTP set it: timedatectl set-ntp true')
  else
    say.ok(
      'clock',
      `the clock of this machine agrees with the controller's signed time within ${lasting(Math.max(1000, far + unsureMs))}`,
    )
}

/** Say how far a node's clock is from this machine's. `aheadMs` is the node's minus ours. */
export function judgeNodeClock(aheadMs: number, say: FindingsOf): void {
  const how = `its clock is ${lasting(aheadMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  if (Math.abs(aheadMs) > WRONG_MS)
    say.fault('clock', how, 'let NTP set the clock of whichever the controller disagrees with')
  else if (Math.abs(aheadMs) > NOTED_MS) say.warning('clock', how, 'let NTP set the clock of the node')
  else say.ok('clock', `its clock agrees with this machine's within ${Math.max(1, Math.round(Math.abs(aheadMs)))} ms`)
}
