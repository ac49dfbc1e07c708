import { MANDATE_LIFE_MS, type Mandate, mandateText } from '../../protocol/change.ts'
import type { JournalEntry, NodeKey, Plan, RolloutEvent } from './contract.ts'
import { itemOf } from './plan-items.ts'
import type { Signer } from './signed-words.ts'

/** Mandates in one event of a journal: under the largest message of a bus. */
const PER_EVENT = 500

type MandatesGiven = Extract<RolloutEvent, { type: 'mandates.given' }>

/**
 * Sign a mandate for each node that a plan changes, as events that follow the start (architecture decision 7): a controller
 * may carry out nothing without one.
 */
export function signMandates(plan: Plan, signer: Signer, atMs: number): readonly RolloutEvent[] {
  const changed = [...new Set([...plan.waves.flatMap(({ nodes }) => nodes), ...plan.deferred.map(({ key }) => key)])]
  const nodes = new Map(plan.nodes.map((node) => [node.key, node]))
  let chain: readonly string[] = []
  const mandates = changed.flatMap((key): MandatesGiven['mandates'][number][] => {
    const node = nodes.get(key)
    if (node === undefined) return []
    const body = {
      v: 1,
      rollout: plan.rollout,
      item: itemOf(plan, key),
      site: node.site,
      node: node.name,
      issuedAt: atMs,
      notAfter: atMs + MANDATE_LIFE_MS,
    } as const
    const signed = signer.signKept(mandateText(body))
    chain = signed.chain
    return [{ key, mandate: { ...body, signature: signed.signature } }]
  })
  const events: RolloutEvent[] = []
  for (let at = 0; at < mandates.length; at += PER_EVENT) {
    events.push({ type: 'mandates.given', at: atMs, term: 0, chain, mandates: mandates.slice(at, at + PER_EVENT) })
  }
  return events
}

/** The mandates that a journal holds, by node; of several for one node the first. Whether they count the nodes judge. */
export class MandateBook {
  readonly #mandates = new Map<NodeKey, Mandate>()

  /** Take what entries give. */
  take(entries: readonly JournalEntry[]): void {
    for (const { event } of entries) {
      if (event.type !== 'mandates.given') continue
      for (const { key, mandate } of event.mandates) {
        if (!this.#mandates.has(key)) this.#mandates.set(key, { ...mandate, chain: [...event.chain] })
      }
    }
  }

  /** That of a node; null when there is none. */
  of(key: NodeKey): Mandate | null {
    return this.#mandates.get(key) ?? null
  }
}
