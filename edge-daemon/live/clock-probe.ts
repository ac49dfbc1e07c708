import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import type { LiveClock } from './contract.ts'

const KEPT_SAMPLES = 8
const OUTSTANDING = 4

/** What probes found: `offsetMs` is the peer's clock minus ours. Null before the first answer. */
export interface ClockReading {
  readonly rttMs: number | null
  readonly clockOffsetMs: number | null
}

/**
 * Round trip and clock offset of a peer by NTP's exchange (RFC 5905 section 8): of the last eight answers the one with
 * the shortest round trip counts, since queueing only ever adds to it. Elapsed time is taken from the monotonic clock,
 * so a step of our wall clock cannot make a round trip negative.
 */
export class ClockProbe {
  readonly #clock: LiveClock
  readonly #sent = new Map<number, { at: number; monotonicMs: number }>()
  readonly #samples: { rttMs: number; offsetMs: number }[] = []
  #next = 1

  constructor(clock: LiveClock) {
    this.#clock = clock
  }

  /** The next probe to send; the oldest one without an answer is forgotten. */
  ping(): { t: 'ping'; n: number; at: number } {
    const at = Math.max(0, Math.round(this.#clock.wallMs()))
    const n = this.#next++
    this.#sent.set(n, { at, monotonicMs: this.#clock.monotonicMs() })
    const oldest = this.#sent.keys().next().value
    if (this.#sent.size > OUTSTANDING && oldest !== undefined) this.#sent.delete(oldest)
    return { t: 'ping', n, at }
  }

  /** Take an answer; one that nobody asked for, or that does not echo our probe, is not counted and returns false. */
  pong(frame: FrameOf<ClientFrame, 'pong'>): boolean {
    const sent = this.#sent.get(frame.n)
    if (sent === undefined || sent.at !== frame.echo) return false
    this.#sent.delete(frame.n)
    const elapsedMs = this.#clock.monotonicMs() - sent.monotonicMs
    const rttMs = Math.max(0, elapsedMs - Math.max(0, frame.at - frame.recvAt))
    const offsetMs = (frame.recvAt - sent.at + (frame.at - (sent.at + elapsedMs))) / 2
    this.#samples.push({ rttMs: round(rttMs), offsetMs: round(offsetMs) })
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift()
    return true
  }

  /** The best of what is known now. */
  reading(): ClockReading {
    let best: { rttMs: number; offsetMs: number } | undefined
    for (const sample of this.#samples) if (best === undefined || sample.rttMs < best.rttMs) best = sample
    return { rttMs: best?.rttMs ?? null, clockOffsetMs: best?.offsetMs ?? null }
  }
}

function round(valueMs: number): number {
  return Math.round(valueMs * 100) / 100
}
