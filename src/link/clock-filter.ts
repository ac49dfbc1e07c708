import type { DaemonFrame, FrameOf } from '../../protocol/frames.ts'

/** Round trip and offset (the node's clock minus ours) of one probe, ms. */
export interface ClockSample {
  readonly rttMs: number
  readonly offsetMs: number
}

const KEPT_SAMPLES = 8

/**
 * The clock filter of NTP (RFC 5905 section 10): of the last eight probes the one with the shortest round trip has the
 * offset that queues bent least.
 */
export class ClockFilter {
  #samples: ClockSample[] = []

  /** Take a probe's answer that came at `nowMs`. Returns the best sample; null when the answer makes no sense. */
  take(pong: FrameOf<DaemonFrame, 'pong'>, nowMs: number): ClockSample | null {
    const rttMs = nowMs - pong.echo - (pong.at - pong.recvAt)
    if (pong.echo > nowMs || pong.at < pong.recvAt || rttMs < 0) return null
    const offsetMs = (pong.recvAt - pong.echo + (pong.at - nowMs)) / 2
    this.#samples.push({ rttMs, offsetMs })
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift()
    return this.#samples.reduce((best, sample) => (sample.rttMs < best.rttMs ? sample : best))
  }
}
