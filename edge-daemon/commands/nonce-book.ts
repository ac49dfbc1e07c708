/** Most signed commands that are remembered: of everybody, and of one author, so that none can take the place of others. */
export const NONCE_LIMITS = { all: 4096, ofOne: 512 } as const

/** What became of a nonce that was shown. */
export type NonceClaim = 'fresh' | 'seen' | 'full'

/**
 * The nonces of commands that were let through, each for as long as its command could be let through again. Times are
 * monotonic ms: a wall clock that is set back must not make an old command new.
 */
export class NonceBook {
  /** When each may be forgotten, by author. An author without nonces has no entry. */
  readonly #byAuthor = new Map<string, Map<string, number>>()
  #size = 0

  /** Remember a nonce for `holdMs`. Only `fresh` lets its command through. */
  claim(
    author: string,
    nonce: string,
    { nowMs, holdMs }: { readonly nowMs: number; readonly holdMs: number },
  ): NonceClaim {
    if (this.#byAuthor.get(author)?.has(nonce) === true) return 'seen'
    if (this.#isFull(author)) this.#forget(nowMs)
    if (this.#isFull(author)) return 'full'
    const own = this.#byAuthor.get(author) ?? new Map<string, number>()
    own.set(nonce, nowMs + holdMs)
    this.#byAuthor.set(author, own)
    this.#size += 1
    return 'fresh'
  }

  #isFull(author: string): boolean {
    return this.#size >= NONCE_LIMITS.all || (this.#byAuthor.get(author)?.size ?? 0) >= NONCE_LIMITS.ofOne
  }

  #forget(nowMs: number): void {
    for (const [author, nonces] of this.#byAuthor) {
      for (const [nonce, untilMs] of nonces) {
        if (untilMs > nowMs) continue
        nonces.delete(nonce)
        this.#size -= 1
      }
      if (nonces.size === 0) this.#byAuthor.delete(author)
    }
  }
}
