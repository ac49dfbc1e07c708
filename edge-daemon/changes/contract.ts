import type { Item, ShadowReport, Source } from '../../protocol/change.ts'
import type { ShadowWish } from './slot-state.ts'

/** Bytes of a delivery. */
export interface Progress {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** A candidate beside what serves, answers untouched. */
export interface Comparison {
  report(): ShadowReport
  /** Settles when as much as was wished for is compared; rejects with EdgeError when the candidate cannot be run. */
  readonly done: Promise<void>
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>
}

/**
 * What a kind of items can be made to do on this node. Everything here may be asked again: after a crash the same is
 * asked as before.
 */
export interface ChangeKind {
  /**
   * Bring a package onto the shelf, verify it and see that it fits this node; of what the node was set up with, see that it
   * is still what the item names.
   * @throws EdgeError that says why it cannot be served here
   */
  stage(
    item: Item,
    options: {
      readonly sources: readonly Source[]
      readonly signal: AbortSignal
      readonly onProgress: (progress: Progress) => void
    },
  ): Promise<void>
  /**
   * Have this serve; null is what the node was set up with. Resolves when it serves, and leaves what served before as it
   * was when it rejects.
   * @throws EdgeError that says why it cannot
   */
  serve(
    item: Item | null,
    options: {
      /** What served before may be wanted back at any moment. */
      readonly keepBefore: boolean
      readonly signal: AbortSignal
    },
  ): Promise<void>
  /** What the node was set up with, by name; null while nobody has looked at it. */
  own(): Item | null
  /** Nothing will be wanted back at once any more. */
  settle(): void
  /** Run an item beside what serves; null where a kind knows no such thing. */
  readonly compare: ((item: Item, wish: ShadowWish) => Comparison) | null
  /** Run what was confirmed before beside what serves, on so many percent of the live traffic; null where it cannot. */
  readonly watch: ((before: Item | null, samplePct: number) => Comparison) | null
}

/** Packages that must stay on the disk, by digest; `mayRemove` when whatever is not among them may go. */
export type Prune = (pinned: ReadonlySet<string>, mayRemove: boolean) => Promise<void>
