import { setTimeout as sleep } from 'node:timers/promises'

/** What a {@link Pace} goes by. */
export interface PaceOptions {
  /** Most that is fetched, bytes a second; null for as fast as it goes. */
  readonly bytesPerSec: number | null
  /** Monotonic clock, ms. */
  readonly nowMs?: () => number
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** What may come at once after a quiet time, as time of the cap. */
const BURST_MS = 250
/** Of the time of this thread, which answers devices too, that checking and writing may take. */
const BUSY_SHARE = 0.25
/** A timer is not finer than this: shorter debts are gathered. */
const LEAST_WAIT_MS = 2

/**
 * Holds a delivery back, so that it stays below its cap on the link, and takes no more than a quarter of the thread that
 * answers devices: whoever has checked a piece says how large it was and how long that took, and waits here.
 */
export class Pace {
  readonly #bytesPerSec: number | null
  readonly #nowMs: () => number
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<unknown>
  #balance: number
  #balanceAtMs: number
  #busyDebtMs = 0

  constructor({ bytesPerSec, nowMs = () => performance.now(), wait = waitUnlessAborted }: PaceOptions) {
    this.#bytesPerSec = bytesPerSec
    this.#nowMs = nowMs
    this.#wait = wait
    this.#balance = this.#burstBytes()
    this.#balanceAtMs = nowMs()
  }

  /** How much a source that is asked for a stretch should be asked for: about half a second of the cap, within bounds. */
  stretchBytes(leastBytes: number, mostBytes: number): number {
    if (this.#bytesPerSec === null) return mostBytes
    return Math.min(mostBytes, Math.max(leastBytes, Math.floor(this.#bytesPerSec / 2)))
  }

  /** So many bytes came, and took so long to check and write; resolves when the next ones may be read. */
  async took(bytes: number, busyMs: number, signal: AbortSignal): Promise<void> {
    this.#busyDebtMs += busyMs * (1 / BUSY_SHARE - 1)
    const waitMs = Math.max(this.#capWaitMs(bytes), this.#busyDebtMs)
    if (waitMs < LEAST_WAIT_MS) return
    this.#busyDebtMs = 0
    await this.#wait(waitMs, signal)
  }

  #burstBytes(): number {
    return ((this.#bytesPerSec ?? 0) * BURST_MS) / 1000
  }

  /** The bucket may be overdrawn by one piece, which is paid for afterwards. */
  #capWaitMs(bytes: number): number {
    if (this.#bytesPerSec === null) return 0
    const now = this.#nowMs()
    const saved = this.#balance + ((now - this.#balanceAtMs) * this.#bytesPerSec) / 1000
    this.#balance = Math.min(saved, this.#burstBytes()) - bytes
    this.#balanceAtMs = now
    return this.#balance >= 0 ? 0 : (-this.#balance * 1000) / this.#bytesPerSec
  }
}

function waitUnlessAborted(ms: number, signal: AbortSignal): Promise<unknown> {
  return sleep(ms, undefined, { signal })
}
