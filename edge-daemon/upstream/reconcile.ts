import type { Chain, ChainBlock } from '../store/contract.ts'
import type { HeldBlock, Holding } from './wire.ts'

/**
 * What this disk says of the block that a receiver holds last: it is the last acknowledged one, the one that was sent and
 * not answered, another one that the log still holds line by line; its records are older than what the log still holds;
 * or it is not from this disk.
 */
export type Seen = 'held' | 'sent' | 'log' | 'gone' | 'unlike'

/** All that the decision rests on. */
export interface Situation {
  readonly chain: Chain
  readonly holding: Exclude<Holding, { outcome: 'unknown' }>
  /** Name of the archive as a chain keeps it. */
  readonly archive: string
  /** The epoch that was asked about. */
  readonly epoch: string
  /** Records still wait that travel in this epoch, or more may be written in it. */
  readonly isOpen: boolean
  /** Of the block in the holding; null when it holds nothing. */
  readonly seen: Seen | null
  /** Last sequence that this disk has given away. */
  readonly headSeq: number
}

/** How a lane goes on. `doubtfulThrough`: blocks that begin up to this sequence may be held already and say so. */
export type Resumption =
  | { readonly step: 'go_on'; readonly doubtfulThrough: number }
  /** The receiver has more than was acknowledged here: the acknowledgement was lost. */
  | { readonly step: 'advance'; readonly to: HeldBlock }
  /** The receiver has lost what it acknowledged: send again what comes behind `afterSeq`; `to` is its last block. */
  | {
      readonly step: 'rewind'
      readonly to: HeldBlock | null
      readonly afterSeq: number
      readonly reason: 'tail_lost' | 'archive_replaced'
      readonly doubtfulThrough: number
    }
  /** Another disk goes on in this epoch. */
  | { readonly step: 'fork'; readonly reason: 'cloned' | 'restored' }

/** Decide how a lane goes on from what the receiver says it holds (`docs/architecture.md`, Exactly once). */
export function reconcile(situation: Situation): Resumption {
  const { chain, holding, archive, epoch } = situation
  const held = chain.held?.epoch === epoch ? chain.held : null
  const sent = chain.sent?.epoch === epoch ? chain.sent : null
  // Whatever is sent to a receiver that does not tell may have come before.
  if (holding.outcome === 'untold') return { step: 'go_on', doubtfulThrough: chain.sent?.lastSeq ?? 0 }
  if (holding.outcome === 'holds') return behindBlock(situation, holding.block, held)
  if (held === null) return unheard(sent, holding)
  if (chain.archive !== null && chain.archive !== archive) {
    return { step: 'rewind', to: null, afterSeq: 0, reason: 'archive_replaced', doubtfulThrough: 0 }
  }
  return gone(chain, held, holding)
}

function behindBlock(
  { chain, seen, isOpen, headSeq }: Situation,
  block: HeldBlock,
  held: ChainBlock | null,
): Resumption {
  if (seen === 'held') return { step: 'go_on', doubtfulThrough: 0 }
  if (seen === 'sent') return { step: 'advance', to: block }
  if (seen === 'unlike') {
    if (!isOpen) return { step: 'go_on', doubtfulThrough: 0 }
    return { step: 'fork', reason: block.lastSeq > headSeq ? 'restored' : 'cloned' }
  }
  if (held !== null && block.lastSeq < held.lastSeq) {
    return { step: 'rewind', to: block, afterSeq: block.lastSeq, reason: 'tail_lost', doubtfulThrough: 0 }
  }
  // What is gone from the log and was never acknowledged here cannot be told from another disk's.
  if (seen === 'gone' && block.lastSeq > chain.cursor) {
    return isOpen ? { step: 'fork', reason: 'cloned' } : { step: 'go_on', doubtfulThrough: 0 }
  }
  return block.lastSeq > chain.cursor || held === null
    ? { step: 'advance', to: block }
    : { step: 'go_on', doubtfulThrough: 0 }
}

type Nothing = Extract<Holding, { outcome: 'nothing' }>

/** Nothing was ever acknowledged in this epoch. What was sent may have come and have expired since, where nothing marks it. */
function unheard(sent: ChainBlock | null, { keepsMarks, lastPosition }: Nothing): Resumption {
  const isDoubtful = sent !== null && !keepsMarks && (lastPosition ?? 0) > 0
  return { step: 'go_on', doubtfulThrough: isDoubtful ? sent.lastSeq : 0 }
}

/** What was acknowledged is no longer there: it expired or was purged, or the receiver has lost its end. */
function gone(chain: Chain, held: ChainBlock, { keepsMarks, lastPosition }: Nothing): Resumption {
  const isLost = lastPosition === null ? keepsMarks : lastPosition < held.position
  if (isLost) {
    const doubtfulThrough = keepsMarks ? 0 : chain.cursor
    return { step: 'rewind', to: null, afterSeq: 0, reason: 'tail_lost', doubtfulThrough }
  }
  // As far as the archive was, it may be by what others have sent since: only what was surely synced is not lost.
  if (chain.syncedSeq < held.lastSeq) {
    const { syncedSeq: afterSeq, cursor: doubtfulThrough } = chain
    return { step: 'rewind', to: null, afterSeq, reason: 'tail_lost', doubtfulThrough }
  }
  return { step: 'go_on', doubtfulThrough: chain.sent?.lastSeq ?? 0 }
}
