/** Ways to a node: straight to its address, or through the bus. */
export const ROUTES = ['direct', 'nats'] as const
/** @see ROUTES */
export type Route = (typeof ROUTES)[number]

/** What is known of one way; times are on our clock, ms. */
export interface RouteState {
  /** Whether it is tried at all. */
  readonly wanted: boolean
  /** Since when a session stands; null while none does. */
  readonly upSinceMs: number | null
  /** When the node was heard on it last. */
  readonly heardMs: number | null
}

/** What the choice follows from. */
export interface Situation {
  readonly active: Route | null
  readonly direct: RouteState
  readonly nats: RouteState
  /** Since when the direct way is tried without a session, or lost. */
  readonly directMissingSinceMs: number | null
  /** How often the node is expected to say something on the way that is in use. */
  readonly everyMs: number
  /** How long the direct way has to stand before it is used again. */
  readonly provingMs: number
}

/** What to do about it. */
export interface Verdict {
  /** The way to use from now on; null for none. */
  readonly use: Route | null
  /** Whether the bus should be tried beside the direct way. */
  readonly wantsNats: boolean
}

/** Time that the direct way has at the start, and again when it was lost, before the bus is tried beside it. */
export const DIRECT_FIRST_MS = 2000
/** Silence beyond what is expected that makes a way doubtful, so that the other one is tried: two lost frames and a round trip. */
const DOUBT_AFTER_MS = 2500
/** A session is probed so often even when nothing is to be told. */
export const PROBE_EVERY_MS = 5000
/** The first proof that the direct way is back takes so long. */
export const FIRST_PROVING_MS = 5000
const MAX_PROVING_MS = 300_000
/** A way that stood this long after a change was worth changing to. */
const WORTH_MS = 60_000

/**
 * Which way to use: the direct one when it stands, the bus while it does not or is silent. Back to the direct way only when
 * it has stood for a while, longer each time it broke soon after (RFC 2439 damps routes so), so that a flapping link does
 * not make the console change to and fro.
 */
export function chooseRoute(situation: Situation, nowMs: number): Verdict {
  const { active, direct, nats, directMissingSinceMs, everyMs, provingMs } = situation
  const isDoubtful = ({ upSinceMs, heardMs }: RouteState): boolean =>
    upSinceMs !== null && nowMs - (heardMs ?? upSinceMs) > Math.min(everyMs, PROBE_EVERY_MS) + DOUBT_AFTER_MS
  const isMissing = directMissingSinceMs !== null && nowMs - directMissingSinceMs >= DIRECT_FIRST_MS
  if (active === 'direct' && direct.upSinceMs !== null) {
    const doubtful = isDoubtful(direct)
    const use = doubtful && nats.upSinceMs !== null && !isDoubtful(nats) ? 'nats' : 'direct'
    return { use, wantsNats: doubtful }
  }
  if (active === 'nats' && nats.upSinceMs !== null) {
    const stoodMs = direct.upSinceMs === null ? 0 : nowMs - direct.upSinceMs
    const isProved = direct.upSinceMs !== null && !isDoubtful(direct) && stoodMs >= provingMs
    return {
      use: isProved || (isDoubtful(nats) && direct.upSinceMs !== null) ? 'direct' : 'nats',
      wantsNats: !isProved,
    }
  }
  if (direct.upSinceMs !== null) return { use: 'direct', wantsNats: false }
  if (nats.upSinceMs !== null) return { use: 'nats', wantsNats: true }
  return { use: null, wantsNats: nats.wanted || isMissing }
}

/** How long the next proof takes after the direct way was lost that had been in use for `stoodMs`. */
export function provingAfter(provingMs: number, stoodMs: number): number {
  return stoodMs >= WORTH_MS ? FIRST_PROVING_MS : Math.min(MAX_PROVING_MS, provingMs * 2)
}
