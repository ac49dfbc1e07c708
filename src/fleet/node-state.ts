/**
 * How a node stands: `connecting` has never answered and is still given time, `up` reports, `stale` missed its
 * announced interval three times, `offline` is silent for 15 s or more. Of a past time it may be `unknown`: nobody kept
 * what it was.
 */
export type NodeState = 'connecting' | 'up' | 'stale' | 'offline' | 'unknown'

/** Silence after which a node is offline at the earliest, ms. */
export const OFFLINE_AFTER_MS = 15_000
/** Silence after which a node is stale at the earliest, ms. */
export const MIN_STALE_AFTER_MS = 3000
const MISSED_INTERVALS = 3
const ROUND_TRIPS = 6

/** What the state of a node follows from; times in ms on our clock. */
export interface Silence {
  /** When the node last said how it is; null when it never has. */
  readonly lastDataMs: number | null
  /** When we began to look for it. */
  readonly sinceMs: number
  /** Announced time between status frames. */
  readonly intervalMs: number
  readonly rttMs: number | null
}

/** Silence in ms that makes a node stale: 3 intervals, at least 3 s, and room for slow links. */
export function staleAfterMs(silence: Pick<Silence, 'intervalMs' | 'rttMs'>): number {
  return Math.max(
    MISSED_INTERVALS * silence.intervalMs,
    MIN_STALE_AFTER_MS,
    silence.intervalMs + ROUND_TRIPS * (silence.rttMs ?? 0),
  )
}

/** Silence in ms that makes a node offline; always later than stale. */
export function offlineAfterMs(silence: Pick<Silence, 'intervalMs' | 'rttMs'>): number {
  return Math.max(OFFLINE_AFTER_MS, 2 * staleAfterMs(silence))
}

/**
 * The state at `nowMs`. It follows from silence alone: a connection that closes is a reason, not a state, so that a
 * short reconnect does not blink.
 */
export function nodeState(silence: Silence, nowMs: number): NodeState {
  const quietMs = nowMs - (silence.lastDataMs ?? silence.sinceMs)
  if (quietMs >= offlineAfterMs(silence)) return 'offline'
  if (silence.lastDataMs === null) return 'connecting'
  return quietMs > staleAfterMs(silence) ? 'stale' : 'up'
}
