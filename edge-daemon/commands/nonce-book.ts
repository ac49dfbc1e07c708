/**
 * Most signed commands that are remembered: of everybody, and of one author, so that none can take the place of others; and
 * of one author from before the start, so that they are not shut out by what they did then.
 */
export const NONCE_LIMITS = { all: 4096, ofOne: 512, ofOneBefore: 256 } as const

/** What became of a nonce that was shown. */
export type NonceClaim = 'fresh' | 'seen' | 'full'

/** When a nonce is shown, and how long it counts. */
export interface NonceTime {
  /** Unix ms by the clock that commands are judged by. */
  readonly nowMs: number
  readonly monotonicMs: number
  /** When its command ends, by the same clock as `nowMs`. */
  readonly expiresAt: number
  /** How long it is remembered at least. */
  readonly holdMs: number
}

/**
 * The nonces of commands that were let through, each for as long as its command could be let through again: until it has
 * ended by the node's clock, and by the time that went by. That clock may be set back, or stand still while it is behind.
 */
export class NonceBook {
  /** When each may be forgotten, by author. An author without nonces has no entry. */
  readonly #byAuthor = new Map<string, Map<string, { readonly expiresAt: number; readonly untilMonotonicMs: number }>>()
  #size = 0

  /** Remember a nonce. Only `fresh` lets its command through. */
  claim(author: string, nonce: string, time: NonceTime): NonceClaim {
    if (this.#byAuthor.get(author)?.has(nonce) === true) return 'seen'
    if (this.#isFull(author)) this.#forget(time)
    if (this.#isFull(author)) return 'full'
    const own = this.#byAuthor.get(author) ?? new Map()
    own.set(nonce, { expiresAt: time.expiresAt, untilMonotonicMs: time.monotonicMs + time.holdMs })
    this.#byAuthor.set(author, own)
    this.#size += 1
    return 'fresh'
  }

  /** Remember what was let through before the start, newest first, as far as there is room for it. */
  recall(before: readonly { readonly author: string; readonly nonce: string }[], time: NonceTime): void {
    for (const { author, nonce } of before) {
      const held = this.#byAuthor.get(author)?.size ?? 0
      if (held < NONCE_LIMITS.ofOneBefore && this.#size < NONCE_LIMITS.all / 2) this.claim(author, nonce, time)
    }
  }

  #isFull(author: string): boolean {
    return this.#size >= NONCE_LIMITS.all || (this.#byAuthor.get(author)?.size ?? 0) >= NONCE_LIMITS.ofOne
  }

  #forget({ nowMs, monotonicMs }: NonceTime): void {
    for (const [author, nonces] of this.#byAuthor) {
      for (const [nonce, { expiresAt, untilMonotonicMs }] of nonces) {
        if (expiresAt >= nowMs || untilMonotonicMs > monotonicMs) continue
        nonces.delete(nonce)
        this.#size -= 1
      }
      if (nonces.size === 0) this.#byAuthor.delete(author)
    }
  }
}
