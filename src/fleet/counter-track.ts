import type { StatusFrame } from '../../protocol/frames.ts'

/** Cumulative counters of one status frame. */
export interface CounterPoint {
  /** The node's clock, ms. */
  readonly atMs: number
  /** Our clock when the frame came, ms. */
  readonly receivedMs: number
  readonly counters: Readonly<Record<string, number>>
}

/** What was counted between two frames. */
export interface CounterDelta {
  readonly fromMs: number
  readonly toMs: number
  readonly counters: Readonly<Record<string, number>>
}

/** Counter name of the bytes sent upstream in all classes; one class is `sent.<class>`. */
export const SENT_TOTAL = 'sent'
const KEEP_MS = 60_000
/** Frames that come closer than this are taken as one. */
const MIN_SPAN_MS = 200
/** A rate over less than this would be mostly chance. */
const MIN_RATE_SPAN_MS = 800
/** More than this between the node's clock and ours over one pair of frames means that a clock was set. */
const CLOCK_STEP_MS = 30_000

/** The counters that rates are made of, flattened. */
export function countersOf(frame: StatusFrame): Record<string, number> {
  const counters: Record<string, number> = { ...frame.inference.counters, [SENT_TOTAL]: 0 }
  for (const [name, bytes] of Object.entries(frame.uplink.sentBytes)) {
    counters[`${SENT_TOTAL}.${name}`] = bytes
    counters[SENT_TOTAL] = (counters[SENT_TOTAL] ?? 0) + bytes
  }
  return counters
}

/**
 * Turns cumulative counters into rates over the node's own clock. A daemon that started anew, a counter that fell, or
 * a clock that was set begins a new baseline: a rate is then unknown, never negative and never absurd.
 */
export class CounterTrack {
  #points: CounterPoint[] = []
  #instance: string | null = null

  /** Counters of another start of the daemon have nothing to do with what was kept. */
  setInstance(instance: string): void {
    if (this.#instance !== instance) this.#points = []
    this.#instance = instance
  }

  /** Take a frame's counters. Returns what was counted since the frame before; null when that is not known. */
  add(point: CounterPoint): CounterDelta | null {
    const last = this.#points.at(-1)
    if (last === undefined) {
      this.#points.push(point)
      return null
    }
    const elapsedMs = point.atMs - last.atMs
    const drift = Math.abs(elapsedMs - (point.receivedMs - last.receivedMs))
    if (elapsedMs < 0 || drift > CLOCK_STEP_MS || fell(last.counters, point.counters)) {
      this.#points = [point]
      return null
    }
    // Frames that come in one breath: keep the older as the baseline, so that no rate is made over nothing.
    if (elapsedMs < MIN_SPAN_MS) return null
    this.#points.push(point)
    while ((this.#points[1]?.atMs ?? point.atMs) <= point.atMs - KEEP_MS) this.#points.shift()
    return {
      fromMs: last.receivedMs,
      toMs: point.receivedMs,
      counters: difference(last.counters, point.counters),
    }
  }

  /** Increase of a counter over about the last `windowMs` (at most 60 s) before the newest frame; null when unknown. */
  increase(name: string, windowMs: number): { readonly amount: number; readonly spanMs: number } | null {
    const last = this.#points.at(-1)
    if (last === undefined) return null
    const first = this.#points.find((point) => point.atMs >= last.atMs - windowMs)
    const base = first === last ? this.#points.at(-2) : first
    const from = base?.counters[name] ?? (base === undefined ? undefined : 0)
    const to = last.counters[name]
    if (base === undefined || from === undefined || to === undefined) return null
    const spanMs = last.atMs - base.atMs
    return spanMs < MIN_RATE_SPAN_MS ? null : { amount: to - from, spanMs }
  }

  /** Rate of a counter per second over about the last `windowMs`; null when unknown. */
  ratePerSec(name: string, windowMs: number): number | null {
    const increase = this.increase(name, windowMs)
    return increase === null ? null : (increase.amount * 1000) / increase.spanMs
  }

  /** Names of the counters in the newest frame. */
  names(): string[] {
    return Object.keys(this.#points.at(-1)?.counters ?? {})
  }
}

function fell(earlier: CounterPoint['counters'], later: CounterPoint['counters']): boolean {
  return Object.entries(earlier).some(([name, value]) => (later[name] ?? 0) < value)
}

function difference(earlier: CounterPoint['counters'], later: CounterPoint['counters']): Record<string, number> {
  return Object.fromEntries(Object.entries(later).map(([name, value]) => [name, value - (earlier[name] ?? 0)]))
}
