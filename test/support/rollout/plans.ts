import type { Item } from '../../../protocol/change.ts'
import type { Author, JournalEntry, Plan, PlanNode, RolloutEvent, Strategy } from '../../../src/rollout/contract.ts'

/** What is rolled out in tests. */
export const NEW_ITEM: Item = { kind: 'model', name: 'digits', version: '2.0.0', digest: 'b'.repeat(64) }
/** What the nodes serve before. */
export const OLD_ITEM: Item = { kind: 'model', name: 'digits', version: '1.0.0', digest: 'a'.repeat(64) }

/** What the nodes were set up with. */
export const OWN_ITEM: Item = {
  kind: 'model',
  name: 'digits',
  version: '0.9.0',
  digest: 'c'.repeat(64),
  origin: 'node',
}

/** Who decides in tests. */
export const ANNA: Author = { name: 'anna', signature: null, chain: null }

/** A node of a plan. */
export function planNode(key: string, more: Partial<PlanNode> = {}): PlanNode {
  return { key, name: key, site: 's1', nodeClass: 'light', requestsPerSec: 5, before: OLD_ITEM, item: null, ...more }
}

/** A plan of waves of node keys by hand. */
export function planOf(
  strategy: Strategy,
  waves: readonly (readonly string[])[],
  more: Partial<Plan> & { readonly approve?: readonly string[] } = {},
): Plan {
  const { approve = [], ...rest } = more
  const named = waves.map((nodes, index) => {
    const name = index === 0 ? 'canary' : `wave-${index}`
    return { name, nodes, needsApproval: approve.includes(name) }
  })
  const keys = [...waves.flat(), ...(rest.deferred ?? []).map(({ key }) => key), ...(rest.peers ?? [])]
  return {
    v: 1,
    rollout: 'r1',
    target: 'daemon',
    item: NEW_ITEM,
    sources: [{ kind: 'link' }],
    strategy,
    nodes: keys.map((key) => planNode(key)),
    waves: named,
    deferred: [],
    unchanged: [],
    leftOut: [],
    peers: [],
    undoes: null,
    ...rest,
  }
}

/** Entries of events in their order, from 1. */
export function entriesOf(events: readonly RolloutEvent[]): JournalEntry[] {
  return events.map((event, index) => ({ seq: index + 1, event }))
}
