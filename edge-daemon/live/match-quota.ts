import type { LogMatcher } from '../../regex/log-matcher.ts'

/** Share of the event loop's time that filters of subscriptions take together at most: answers to devices come first. */
const SHARE = 0.1
/** What may be spent at once after a quiet time, ms. */
const BURST_MS = 20
/** A filter that was not asked about for this long has no part of the share. */
const FORGET_MS = 1000

interface Account {
  leftMs: number
  atMs: number
}

/**
 * Holds filters to their share of the event loop. Each that is in use has an equal part, so that one that is expensive
 * takes nothing from the others; what a single line costs over it is paid back before the next is looked at.
 */
export class MatchQuota {
  readonly #nowMs: () => number
  readonly #accounts = new Map<LogMatcher, Account>()

  /** @param nowMs a clock that only rises, ms */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Match within the share; null when the filter has spent its part, and nothing was looked at. */
  spend<T>(matcher: LogMatcher, match: () => T): T | null {
    const beganMs = this.#nowMs()
    const account = this.#account(matcher, beganMs)
    if (account.leftMs <= 0) return null
    const outcome = match()
    account.leftMs -= this.#nowMs() - beganMs
    return outcome
  }

  #account(matcher: LogMatcher, nowMs: number): Account {
    for (const [other, { leftMs, atMs }] of this.#accounts) {
      const idleMs = nowMs - atMs
      const isEven = leftMs + (idleMs * SHARE) / this.#accounts.size > 0
      if (other !== matcher && idleMs > FORGET_MS && isEven) this.#accounts.delete(other)
    }
    const account = this.#accounts.get(matcher) ?? { leftMs: BURST_MS, atMs: nowMs }
    this.#accounts.set(matcher, account)
    const part = SHARE / this.#accounts.size
    account.leftMs = Math.min(BURST_MS, account.leftMs + (nowMs - account.atMs) * part)
    account.atMs = nowMs
    return account
  }
}
