import type { Strategy } from '../../rollout/contract.ts'
import { CONFIRM_SLACK_SEC } from '../../rollout/strategy.ts'
import { formatAge } from '../format.ts'

/** Something of a strategy that is turned in the dialog: a few values, the one that it has, and how to take another. */
export interface Knob {
  readonly name: string
  readonly help: string
  /** The value that the strategy has, in words. */
  readonly value: (strategy: Strategy) => string
  /** The strategy with the value so many places on. */
  readonly turned: (strategy: Strategy, by: 1 | -1) => Strategy
}

const SOAKS_SEC = [10, 30, 60, 120, 300, 900, 3600]
const CANARIES: readonly Strategy['canary'][] = [
  { kind: 'representative' },
  { kind: 'count', count: 1 },
  { kind: 'count', count: 2 },
  { kind: 'count', count: 5 },
]
const APPROVALS: readonly (readonly string[])[] = [[], ['canary'], ['all']]
const SOURCES = [null, 'live', 'kept'] as const
const BUDGETS: readonly Strategy['siteBudget'][] = [{ percent: 10 }, { percent: 25 }, { percent: 50 }, { count: 1 }]
/** What is watched at most is so many times what is watched at least, where the strategy does not say more. */
const MOST_SOAKS = 5

/** The few things that are changed most; all the rest is in a strategy file. */
export const KNOBS: readonly Knob[] = [
  {
    name: 'canary',
    help: 'who goes first',
    value: ({ canary }) => canaryText(canary),
    turned: (strategy, by) => ({ ...strategy, canary: next(CANARIES, strategy.canary, by) }),
  },
  {
    name: 'watch each wave',
    help: 'at least so long, before the next begins',
    value: ({ soakSec }) => formatAge(soakSec * 1000),
    turned: (strategy, by) => soakedFor(strategy, next(SOAKS_SEC, strategy.soakSec, by)),
  },
  {
    name: 'shadow first',
    help: 'the canary answers beside what serves, unheard, before it serves',
    value: ({ shadow }) => (shadow === null ? 'no' : `on ${shadow.samples} ${shadow.source} pictures`),
    turned: (strategy, by) => shadowed(strategy, by),
  },
  {
    name: 'approval',
    help: 'somebody lets the next wave begin',
    value: ({ pauseAfter }) =>
      pauseAfter.length === 0
        ? 'never'
        : pauseAfter.includes('all')
          ? 'behind every wave'
          : `behind ${pauseAfter.join(', ')}`,
    turned: (strategy, by) => ({ ...strategy, pauseAfter: next(APPROVALS, strategy.pauseAfter, by) }),
  },
  {
    name: 'away at a site',
    help: 'at most so many of its nodes at once, whatever the cause',
    value: ({ siteBudget }) => ('count' in siteBudget ? `${siteBudget.count} node` : `${siteBudget.percent} %`),
    turned: (strategy, by) => ({ ...strategy, siteBudget: next(BUDGETS, strategy.siteBudget, by) }),
  },
]

/** A strategy whose other times still fit when waves are watched for so long. */
function soakedFor(strategy: Strategy, soakSec: number): Strategy {
  const maxSoakSec = Math.max(strategy.maxSoakSec, soakSec * MOST_SOAKS)
  return {
    ...strategy,
    soakSec,
    maxSoakSec,
    confirmWithinSec: Math.min(86_400, Math.max(strategy.confirmWithinSec, maxSoakSec + CONFIRM_SLACK_SEC)),
  }
}

function shadowed(strategy: Strategy, by: 1 | -1): Strategy {
  const source = next(SOURCES, strategy.shadow?.source ?? null, by)
  if (source === null) return { ...strategy, shadow: null }
  const rest = strategy.shadow ?? DEFAULT_SHADOW
  return { ...strategy, shadow: { ...rest, source, labelled: null } }
}

/** As a strategy file has it when it says nothing else. */
const DEFAULT_SHADOW = { nodes: 'canary', samples: 200, maxDisagreePct: 20, maxWorsePoints: 0.5 } as const

function canaryText(canary: Strategy['canary']): string {
  if (canary.kind === 'representative') return 'one of each site and class'
  return canary.kind === 'count'
    ? `${canary.count} node${canary.count === 1 ? '' : 's'}`
    : `${canary.nodes.length} chosen`
}

/** The value behind this one; a value of a file that is none of these gives way to the first. */
function next<T>(values: readonly T[], now: T, by: 1 | -1): T {
  const at = values.findIndex((value) => JSON.stringify(value) === JSON.stringify(now))
  const index = at < 0 ? 0 : (at + by + values.length) % values.length
  // Null may be one of the values.
  return index < values.length ? (values[index] as T) : now
}
