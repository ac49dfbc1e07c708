import type { Block, BlockEncoding } from './block.ts'
import type { SentClass } from './sent-bytes.ts'

/** What a receiver is asked about: the live or the resend subject of one class of this node, in one epoch. */
export interface LaneSubject {
  readonly subject: string
  readonly recordClass: SentClass
  /** Epoch that the asker goes on in: blocks of other epochs on the subject are not its own. */
  readonly epoch: string
  /** Position of the asker's last block there, as far as it knows; 0 for none. */
  readonly position: number
  /** Id of the resend request that is meant; its blocks name it. */
  readonly resend?: string
}

/** A block as a receiver holds it. */
export interface HeldBlock {
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** SHA-256 of its lines, hex. */
  readonly digest: string
  /** The receiver's own number of it: the sequence in its stream; 0 where it has none. */
  readonly position: number
  /** Id of the resend request that it was sent again for; not there on a live one. */
  readonly resend?: string
}

/**
 * What a receiver holds of a subject in the epoch it was asked about. `archive` names its incarnation (the stream and
 * when it was made, the id of a receiver): positions belong to it. `after` is the position that the next block must name
 * as the last on the subject, whoever's block that is.
 */
export type Holding =
  /** `block` is the last one. `expired`: only its mark is there, the block itself was removed since. */
  | {
      readonly outcome: 'holds'
      readonly block: HeldBlock
      readonly archive: string
      readonly after: number
      readonly expired: boolean
      /** Epoch of the last block on the subject when it is another than the one asked about. */
      readonly foreignEpoch?: string | null
    }
  | {
      readonly outcome: 'nothing'
      readonly archive: string
      readonly after: number
      /** Last position of the whole archive, also of what was removed since; null where it cannot be told. */
      readonly lastPosition: number | null
      readonly foreignEpoch: string | null
      /** A block that came would have left its mark, so there was none (or all was purged). */
      readonly keepsMarks: boolean
    }
  /**
   * It takes blocks and never says what it holds (a plain receiver over HTTP): only the node's own account of what was
   * acknowledged is there to go on from, so delivery is at least once, and a block that may have arrived is flagged.
   */
  | { readonly outcome: 'untold'; readonly archive: string }
  | { readonly outcome: 'unknown'; readonly msg: string; readonly retryAfterMs?: number }

/** What became of one block. Only `held` is an acknowledgement. */
export type Delivery =
  /** The receiver has it; `synced` when it is on its disk before it answered. */
  | { readonly outcome: 'held'; readonly position: number; readonly synced: boolean }
  /** Something else than what the block names is last there: ask what it holds. Nothing was stored. */
  | { readonly outcome: 'conflict'; readonly msg: string }
  /** It may or may not have it; ask what it holds, send again. `retryAfterMs` when the receiver asked for patience. */
  | { readonly outcome: 'again'; readonly msg: string; readonly retryAfterMs?: number }
  /** It will never take a block of this size. */
  | { readonly outcome: 'too_large'; readonly msg: string }

/** How the link to a receiver is. */
export type WireState = 'connecting' | 'up' | 'down'

/** One way to a receiver: it connects by itself, again and again, and carries blocks while it is up. */
export interface Wire {
  readonly kind: 'nats' | 'http'
  readonly state: WireState
  /** Why it is not up, for people; null when there is nothing to say. */
  readonly error: string | null
  /** Last measured round trip; null before the first and while the link is down. */
  readonly rttMs: number | null
  /** Largest body it takes, compressed, as far as the receiver told; null when it named no limit. */
  readonly maxBodyBytes: number | null
  /**
   * Whether the receiver compares before it stores, so that a block is there once; `false` for one that takes whatever
   * comes, null while it has not told.
   */
  readonly guarded: boolean | null
  /** How it takes bodies compressed, best first; empty while it has not told. */
  readonly encodings: readonly BlockEncoding[]
  /** Begin to connect; returns at once. `onChange` is called after every change of state. */
  start(onChange: () => void): void
  /** Ask what the receiver holds. Never rejects. */
  holding(subject: LaneSubject): Promise<Holding>
  /**
   * Carry one block, to be stored only when the last block on its subject has the position `after` (0 for none) and,
   * where positions mean nothing, when the block named as the one before is the last in its epoch. Never rejects.
   */
  send(block: Block, after: number): Promise<Delivery>
  /** Cumulative bytes handed to the network, by record class and `control` for all the rest. */
  sentBytes(): Record<string, number>
  /** Close the link; deliveries under way end with `again`. */
  stop(): Promise<void>
}
