/** On which nodes somebody depends. */
export interface Attention {
  /** All of them: they have to be reached. */
  readonly needed: ReadonlySet<string>
  /** Those that tell every second meanwhile. */
  readonly often: ReadonlySet<string>
}

/** What several holders depend on at a time; each sets and releases its own part alone. */
export class Attentions {
  readonly #held = new Map<string, Attention>()

  /** What a holder depends on from now on; null when it is through. Returns the nodes that this may matter to. */
  set(holder: string, attention: Attention | null): ReadonlySet<string> {
    const before = this.#held.get(holder)
    if (attention === null) this.#held.delete(holder)
    else this.#held.set(holder, attention)
    return new Set([before, attention].flatMap((one) => (one == null ? [] : [...one.needed, ...one.often])))
  }

  /** Whether anybody depends on a node. */
  isNeeded(key: string): boolean {
    return this.#some(({ needed, often }) => needed.has(key) || often.has(key))
  }

  /** Whether a node has to tell every second. */
  isOften(key: string): boolean {
    return this.#some(({ often }) => often.has(key))
  }

  #some(so: (attention: Attention) => boolean): boolean {
    for (const attention of this.#held.values()) if (so(attention)) return true
    return false
  }
}
