/** What one node may send us. */
export interface InflowLimits {
  readonly framesPerSec: number
  readonly bytesPerSec: number
  /** How many seconds' worth may come at once. */
  readonly burstSec: number
}

/** Ten times what an honest node sends at full rate with a long read under way. */
export const DEFAULT_INFLOW: InflowLimits = { framesPerSec: 200, bytesPerSec: 8_000_000, burstSec: 3 }
/** Time over which it is told how much came, ms. */
const TOLD_MS = 1000

/** Token buckets over frames and bytes, so that one mad node cannot take the console from the others. */
export class InflowBound {
  readonly #limits: InflowLimits
  #frames: number
  #bytes: number
  #atMs: number
  /** What came since `#sinceMs`, and in the whole stretch before it. */
  #sinceMs: number
  #now = { frames: 0, bytes: 0 }
  #before = { frames: 0, bytes: 0 }

  constructor(limits: InflowLimits, nowMs: number) {
    this.#limits = limits
    this.#frames = limits.framesPerSec * limits.burstSec
    this.#bytes = limits.bytesPerSec * limits.burstSec
    this.#atMs = nowMs
    this.#sinceMs = nowMs
  }

  /** Count a frame. Returns false when the node is over its bound. */
  take(sizeBytes: number, nowMs: number): boolean {
    const { framesPerSec, bytesPerSec, burstSec } = this.#limits
    const elapsedSec = Math.max(0, nowMs - this.#atMs) / 1000
    this.#atMs = nowMs
    this.#frames = Math.min(framesPerSec * burstSec, this.#frames + elapsedSec * framesPerSec) - 1
    this.#bytes = Math.min(bytesPerSec * burstSec, this.#bytes + elapsedSec * bytesPerSec) - sizeBytes
    if (nowMs - this.#sinceMs >= TOLD_MS) {
      this.#before = nowMs - this.#sinceMs >= 2 * TOLD_MS ? { frames: 0, bytes: 0 } : this.#now
      this.#now = { frames: 0, bytes: 0 }
      this.#sinceMs = nowMs
    }
    this.#now = { frames: this.#now.frames + 1, bytes: this.#now.bytes + sizeBytes }
    return this.#frames >= 0 && this.#bytes >= 0
  }

  /** What came in the last one or two seconds. */
  recent(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.#now.frames + this.#before.frames, bytes: this.#now.bytes + this.#before.bytes }
  }

  /** How long to wait before asking for more, ms, so that half of the burst stays free for what comes unasked. */
  pauseMs(nowMs: number): number {
    const { framesPerSec, bytesPerSec, burstSec } = this.#limits
    const elapsedSec = Math.max(0, nowMs - this.#atMs) / 1000
    const lacking = (has: number, perSec: number): number => (perSec * burstSec) / 2 - has - elapsedSec * perSec
    const frames = lacking(this.#frames, framesPerSec) / framesPerSec
    const bytes = lacking(this.#bytes, bytesPerSec) / bytesPerSec
    return Math.max(0, Math.ceil(1000 * Math.max(frames, bytes)))
  }
}
