/** Lengths of the time bar, ms. */
export const REPLAY_SPANS_MS = [300_000, 3_600_000, 86_400_000] as const
/** How fast a past can be played, times the speed that it had. */
export const REPLAY_RATES = [1, 2, 5, 10, 30, 60] as const
/** One of {@link REPLAY_RATES}. */
export type ReplayRate = (typeof REPLAY_RATES)[number]

/** Where the play head stands and how it moves. Times are Unix ms on our clock. */
export interface ReplayClock {
  readonly headMs: number
  readonly playing: boolean
  /** Kept while it is paused. */
  readonly rate: ReplayRate
  /** When the head was moved last. */
  readonly movedAtMs: number
}

/** A step forward that ends so near now leads there. */
const NEARLY_NOW_MS = 4000

/** The head at a time, standing still; null when that is yet to come: nothing to go back to. */
export function holdAt(headMs: number, nowMs: number, rate: ReplayRate = 1): ReplayClock | null {
  return headMs > nowMs ? null : { headMs: Math.max(0, Math.round(headMs)), playing: false, rate, movedAtMs: nowMs }
}

/** The head moved by so much, from now when nothing is replayed; null when that leads back to now. */
export function stepped(clock: ReplayClock | null, deltaMs: number, nowMs: number): ReplayClock | null {
  const headMs = (clock?.headMs ?? nowMs) + deltaMs
  // Forward again after going back so far: a moment passed meanwhile, and now is meant.
  if (headMs >= nowMs - (deltaMs > 0 ? NEARLY_NOW_MS : 0)) return null
  return { ...(clock ?? { playing: false, rate: 1 }), headMs: Math.max(0, Math.round(headMs)), movedAtMs: nowMs }
}

/**
 * The head after time passed. It does not go beyond `limitMs`, where the past is not loaded yet. Null when it caught up with
 * now.
 */
export function advanced(clock: ReplayClock, nowMs: number, limitMs = Number.POSITIVE_INFINITY): ReplayClock | null {
  if (!clock.playing) return clock
  const elapsedMs = Math.max(0, nowMs - clock.movedAtMs)
  const headMs = Math.max(clock.headMs, Math.min(clock.headMs + elapsedMs * clock.rate, limitMs))
  return headMs >= nowMs ? null : { ...clock, headMs: Math.round(headMs), movedAtMs: nowMs }
}

/** Play, or stand still. */
export function toggled(clock: ReplayClock, nowMs: number): ReplayClock {
  return { ...clock, playing: !clock.playing, movedAtMs: nowMs }
}

/** The next rate up (1) or down (-1); it plays at once. */
export function geared(clock: ReplayClock, direction: 1 | -1, nowMs: number): ReplayClock {
  const at = REPLAY_RATES.indexOf(clock.rate) + direction
  const rate = REPLAY_RATES[Math.max(0, Math.min(REPLAY_RATES.length - 1, at))] ?? clock.rate
  return { ...clock, rate, playing: true, movedAtMs: nowMs }
}
