import type { Block } from './block.ts'

/** What became of one block. Only `held` is an acknowledgement. */
export type Delivery =
  /** The receiver has it. */
  | { readonly outcome: 'held' }
  /** It may or may not have it; send again. `retryAfterMs` when the receiver asked for patience. */
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
  /** Begin to connect; returns at once. `onChange` is called after every change of state. */
  start(onChange: () => void): void
  /** Carry one block. Never rejects. */
  send(block: Block): Promise<Delivery>
  /** Cumulative bytes handed to the network, by record class and `control` for all the rest. */
  sentBytes(): Record<string, number>
  /** Close the link; deliveries under way end with `again`. */
  stop(): Promise<void>
}
