import type { NodeKey, Plan, PlanNode, RolloutEvent, Strategy } from '../../src/rollout/contract.ts'
import { modelItem } from './change-status.ts'

/** A strategy of the defaults' kind, written out. */
export const STRATEGY: Strategy = {
  canary: { kind: 'representative' },
  waves: [{ percent: 10 }, { percent: 50 }],
  siteBudget: { percent: 20 },
  parallel: 4,
  soakSec: 60,
  maxSoakSec: 600,
  pauseAfter: [],
  shadow: {
    nodes: 'canary',
    source: 'live',
    samples: 200,
    maxDisagreePct: 5,
    maxWorsePoints: 1,
    labelled: null,
  },
  gates: { maxFailedPct: 2, maxSlowPct: 5, maxDisagreePct: 10, worseFactor: 2, minRequests: 50, falseStop: 0.05 },
  localGates: { maxFailedPct: 2, maxSlowPct: 10, maxDisagreePct: 20, minRequests: 50 },
  maxFailedNodes: 0,
  confirmWithinSec: 600,
  darkSec: 60,
  deferredForSec: 3600,
}

/** A node of a plan. */
export function planNode(key: NodeKey, more: Partial<PlanNode> = {}): PlanNode {
  return {
    key,
    name: key,
    site: 'plant-a',
    nodeClass: 'light',
    requestsPerSec: 6,
    before: modelItem('1.0.0'),
    item: null,
    ...more,
  }
}

/** A plan with these waves; every node in a wave is one of its nodes. */
export function planOf(waves: Readonly<Record<string, readonly NodeKey[]>>, more: Partial<Plan> = {}): Plan {
  const keys = Object.values(waves).flat()
  const nodes = more.nodes ?? keys.map((key) => planNode(key))
  return {
    v: 1,
    rollout: 'r7k2m',
    target: 'daemon',
    item: modelItem('2.0.0'),
    sources: [{ kind: 'link' }],
    strategy: STRATEGY,
    nodes,
    waves: Object.entries(waves).map(([name, nodes]) => ({ name, nodes, needsApproval: false })),
    deferred: [],
    unchanged: [],
    leftOut: [],
    peers: [],
    undoes: null,
    fleetRequestsPerSec: nodes.reduce((sum, { requestsPerSec }) => sum + (requestsPerSec ?? 0), 0),
    ...more,
  }
}

/** Nobody's signature, on a fleet without identities. */
export function author(name: string): Extract<RolloutEvent, { type: 'rollout.started' }>['by'] {
  return { name, signature: null, chain: null }
}
