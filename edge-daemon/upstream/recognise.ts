import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { Chain, ChainBlock, Store } from '../store/contract.ts'
import { contentOf, digestOf } from './block.ts'
import type { Seen } from './reconcile.ts'
import type { HeldBlock } from './wire.ts'
import { mayTravelIn } from './wire-epoch.ts'

/** More records than any block holds. */
const MAX_RECORDS = 20_000

/**
 * Compare a block that a receiver holds with what this disk knows of it.
 * @throws EdgeError `STORE_FAILING` when the log cannot be read now.
 */
export async function recognise(
  block: HeldBlock,
  { store, recordClass, chain }: { store: Pick<Store, 'read' | 'forks'>; recordClass: UpstreamClass; chain: Chain },
): Promise<Seen> {
  if (isSame(block, chain.held)) return 'held'
  if (isSame(block, chain.sent)) return 'sent'
  const records = await store.read({
    classes: [recordClass],
    afterSeq: block.firstSeq - 1,
    throughSeq: block.lastSeq,
    limit: MAX_RECORDS,
  })
  const own = records.filter((record) => mayTravelIn(block.epoch, record, store.forks))
  if (
    own[0]?.seq === block.firstSeq &&
    own.at(-1)?.seq === block.lastSeq &&
    digestOf(contentOf(own).ndjson) === block.digest
  ) {
    return 'log'
  }
  // What was acknowledged ended where this ends, and was not this.
  if (chain.held?.epoch === block.epoch && chain.held.lastSeq === block.lastSeq) return 'unlike'
  const [[oldest], [newest]] = await Promise.all([
    store.read({ classes: [recordClass], limit: 1 }),
    store.read({ classes: [recordClass], limit: 1, newestFirst: true }),
  ])
  const endSeq = Math.max(newest?.seq ?? 0, chain.cursor)
  return block.firstSeq < (oldest?.seq ?? Number.POSITIVE_INFINITY) && block.lastSeq <= endSeq ? 'gone' : 'unlike'
}

function isSame(block: HeldBlock, known: ChainBlock | null): boolean {
  return known !== null && known.epoch === block.epoch && known.digest === block.digest
}
