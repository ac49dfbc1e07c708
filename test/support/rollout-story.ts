import { safe } from '../../src/fleet/clean.ts'
import type { Plan } from '../../src/rollout/contract.ts'
import type { RolloutWish } from '../../src/rollout/service.ts'
import type { PackageOffers } from '../../src/ui/rollouts/face.ts'
import { changeStatus, modelItem } from './change-status.ts'
import { START_MS } from './console-screen.ts'
import type { Said } from './journal-rollouts.ts'
import { author, planNode, planOf, STRATEGY } from './rollout-plan.ts'

/** Nodes of the story, one with a name in Chinese. */
export const NODES = ['node-1', 'node-2', '质检-东区-03', 'node-4', 'node-5', 'node-6'] as const
/** Id of the rollout of the story. */
export const ID = 'r7k2m'

/** A plan for what is wished: the first node is the canary, `node-6` is offline. */
export function planFor(wish: Pick<RolloutWish, 'nodes' | 'item' | 'strategy' | 'undoes'>): Plan {
  const [first = '', ...rest] = wish.nodes
  const late = rest.filter((key) => key === 'node-6')
  const now = rest.filter((key) => key !== 'node-6')
  return planOf(
    { canary: [first], 'wave-1': now },
    {
      rollout: ID,
      item: wish.item,
      strategy: wish.strategy,
      undoes: wish.undoes,
      nodes: wish.nodes.map((key, at) => planNode(key, { site: at === 2 ? '仓库' : 'plant-a' })),
      deferred: late.map((key) => ({ key, why: 'offline' })),
    },
  )
}

/** Packages that are offered. */
export const OFFERS: PackageOffers = {
  offers: [
    {
      item: modelItem('2.0.0'),
      signedBy: [safe('release key')],
      sizeBytes: 1_234_567,
      sinceMs: START_MS - 7_200_000,
      where: safe('bucket models'),
      push: null,
      sources: [{ kind: 'link' }],
    },
    {
      item: modelItem('1.1.0'),
      signedBy: [safe('release key')],
      sizeBytes: 1_234_000,
      sinceMs: START_MS - 86_400_000,
      where: safe('bucket models'),
      push: null,
      sources: [{ kind: 'link' }],
    },
  ],
  faults: [],
}

const plan = planFor({ nodes: NODES, item: modelItem('2.0.0'), strategy: STRATEGY, undoes: null })
const step = (
  node: (typeof NODES)[number],
  name: 'stage' | 'shadow' | 'activate' | 'confirm',
  change: Parameters<typeof changeStatus>[0],
  at = START_MS,
): Said[] => [
  {
    type: 'step.intended',
    at,
    node,
    step: name,
    attempt: 1,
    activation: name === 'activate' ? `a-${NODES.indexOf(node)}` : null,
    why: null,
  },
  {
    type: 'step.done',
    at,
    node,
    step: name,
    change: changeStatus(change, START_MS, { activation: `a-${NODES.indexOf(node)}` }),
  },
]

/** A rollout whose canary is through and whose first wave is under way, with a node that went back and one that is suspect. */
export const STORY: readonly Said[] = [
  { type: 'rollout.started', at: START_MS - 190_000, plan, by: author('mia'), why: 'reads 7 better' },
  { type: 'driver.took', at: START_MS - 189_000, term: 2, holder: 'mia@bastion' },
  { type: 'wave.began', at: START_MS - 188_000, wave: 'canary' },
  ...step('node-1', 'stage', 'staged', START_MS - 187_000),
  ...step('node-1', 'activate', 'probation', START_MS - 180_000),
  {
    type: 'gate.judged',
    at: START_MS - 80_000,
    wave: 'canary',
    verdict: {
      verdict: 'pass',
      findings: [
        {
          gate: 'failed',
          against: 'limit',
          verdict: 'pass',
          msg: '0 of 412 failed, limit 2 %',
          changed: null,
          baseline: null,
        },
        {
          gate: 'slow',
          against: 'baseline',
          verdict: 'pass',
          msg: '3 of 412 over 50 ms (0.7 %), others 0.9 %',
          changed: null,
          baseline: null,
        },
      ],
    },
  },
  ...step('node-1', 'confirm', 'confirmed', START_MS - 79_000),
  { type: 'wave.ended', at: START_MS - 78_000, wave: 'canary', why: 'watched for 1m 40s, gates pass' },
  { type: 'wave.began', at: START_MS - 77_000, wave: 'wave-1' },
  ...step('node-2', 'stage', 'staged', START_MS - 76_000),
  ...step('质检-东区-03', 'stage', 'staged', START_MS - 76_000),
  ...step('node-2', 'activate', 'probation', START_MS - 40_000),
  ...step('质检-东区-03', 'activate', 'probation', START_MS - 39_000),
  {
    type: 'node.suspected',
    at: START_MS - 10_000,
    node: 'node-2',
    why: 'dark for 30 s since it was changed, its site is not',
  },
]
