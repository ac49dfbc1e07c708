import type { Item } from '../../protocol/change.ts'

/** What was confirmed and cannot be used, by kind. */
export class PutAside {
  readonly #held = new Map<Item['kind'], { readonly digest: string; readonly msg: string }>()

  /** An item cannot be used. */
  add({ kind, digest }: Item, msg: string): void {
    this.#held.set(kind, { digest, msg })
  }

  /**
   * Why what is confirmed is not in force; null when it is, or when something else is confirmed by now.
   * @param inForce digest of the item of that kind that is used; null for what the node was set up with
   */
  of(kind: Item['kind'], confirmed: readonly Item[], inForce: string | null): string | null {
    const held = this.#held.get(kind)
    if (held === undefined || held.digest === inForce) return null
    return confirmed.some(({ digest }) => digest === held.digest) ? held.msg : null
  }
}
