import type { Item } from '../../../protocol/change.ts'
import type { Plan, PlanNode, RolloutEvent } from '../../../src/rollout/contract.ts'

/** A model that is rolled out in tests. */
export const ITEM: Item = { kind: 'model', name: 'digits', version: '2.0.0', digest: 'a'.repeat(64) }
/** The model before it. */
export const BEFORE: Item = { kind: 'model', name: 'digits', version: '1.0.0', digest: 'b'.repeat(64) }

/** A plan over some nodes, one wave each `waveSize` of them. */
export function planOf(
  keys: readonly string[],
  { rollout = 'r1', waveSize = 1, ...more }: { rollout?: string; waveSize?: number } & Partial<Plan> = {},
): Plan {
  const waves: Plan['waves'][number][] = []
  for (let at = 0; at < keys.length; at += waveSize) {
    const name = at === 0 ? 'canary' : `wave-${at / waveSize}`
    waves.push({ name, nodes: keys.slice(at, at + waveSize), needsApproval: false })
  }
  return {
    v: 1,
    rollout,
    target: 'daemon',
    item: ITEM,
    sources: [{ kind: 'link' }],
    strategy: {
      canary: { kind: 'count', count: 1 },
      waves: [{ count: waveSize }],
      siteBudget: { percent: 50 },
      parallel: 4,
      soakSec: 1,
      maxSoakSec: 10,
      pauseAfter: [],
      shadow: null,
      gates: {
        maxFailedPct: 2,
        maxSlowPct: 10,
        maxDisagreePct: 20,
        worseFactor: 2,
        minRequests: 50,
        falseStop: 0.05,
      },
      localGates: { maxFailedPct: 2, maxSlowPct: 10, maxDisagreePct: 20, minRequests: 50 },
      maxFailedNodes: 0,
      confirmWithinSec: 60,
      darkSec: 60,
      deferredForSec: 60,
    },
    nodes: keys.map(planNode),
    waves,
    deferred: [],
    unchanged: [],
    leftOut: [],
    peers: [],
    undoes: null,
    ...more,
  }
}

function planNode(key: string): PlanNode {
  return { key, name: key, site: 'plant', nodeClass: null, requestsPerSec: 10, before: BEFORE, item: null }
}

/** The start of a rollout that nobody signed. */
export function started(plan: Plan, at = 1_793_000_000_000): RolloutEvent {
  return { type: 'rollout.started', at, term: 0, plan, by: { name: 'mia', signature: null, chain: null }, why: null }
}

/** That somebody took a rollout over. */
export function took(term: number, holder = 'test', at = 1_793_000_000_000): RolloutEvent {
  return { type: 'driver.took', at, term, holder }
}
