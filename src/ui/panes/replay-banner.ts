import type { ReplayClock } from '../../fleet/replay-clock.ts'
import { formatAge, formatClock } from '../format.ts'

/** What the header says while a past is looked at: `REPLAY 10:32:07 −4m 3s ×5 playing`. */
export function replayBanner(clock: ReplayClock, nowMs: number, isLoading: boolean): string {
  const doing = isLoading ? 'loading' : clock.playing ? `×${clock.rate} playing` : 'held'
  return `REPLAY ${formatMoment(clock.headMs, nowMs)} −${formatAge(nowMs - clock.headMs)} ${doing}`
}

/** Time of day, with the day when it is not today's. */
export function formatMoment(atMs: number, nowMs: number): string {
  const clock = formatClock(atMs, 'local')
  const at = new Date(atMs)
  if (at.toDateString() === new Date(nowMs).toDateString()) return clock
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
  return `${day} ${clock}`
}
