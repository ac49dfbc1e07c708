import { expect, it } from 'vitest'
import type { ChangeStatus } from '../../../protocol/change.ts'
import type { NodeObservation, Observation, RolloutEvent } from '../../../src/rollout/contract.ts'
import { decide } from '../../../src/rollout/decide.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { judge } from '../../../src/rollout/gates/judge.ts'
import { judgeShadow } from '../../../src/rollout/gates/shadow.ts'
import type { RolloutState } from '../../../src/rollout/state.ts'
import { changeStatus } from '../../support/change-status.ts'
import { ITEM, planOf, started, took } from '../../support/rollout/events.ts'

const T0 = 1_793_000_000_000
const at = T0 + 1000
const COUNTERS = { requests: 500, failed: 0, slow: 0 }

function change(phase: ChangeStatus['phase']): ChangeStatus {
  return changeStatus(phase, at, { rollout: 'r1', item: ITEM, term: 1, activation: 'a1' })
}

/** The canary serves on probation, and its driver died; another has just taken over. */
function takenOver(): RolloutState {
  const head = { at, term: 1, node: 'n1' }
  const events: RolloutEvent[] = [
    started(planOf(['n1', 'n2']), T0),
    took(1, 'mia', T0),
    { type: 'baseline.taken', at: T0, term: 1, wave: 'start', counters: {} },
    { type: 'wave.began', at, term: 1, wave: 'canary' },
    { type: 'step.intended', ...head, step: 'stage', attempt: 1, activation: null, why: null },
    { type: 'step.done', ...head, step: 'stage', change: change('staged') },
    { type: 'step.intended', ...head, step: 'activate', attempt: 1, activation: 'a1', why: null },
    { type: 'step.done', ...head, step: 'activate', change: change('probation') },
    took(2, 'controller', at),
  ]
  const state = fold(
    null,
    events.map((event, index) => ({ seq: index + 1, event })),
  )
  if (state === null) throw new Error('it was begun')
  return state
}

/** What is seen so long after the take-over, by these nodes' counters; of the others heartbeats alone came. */
function seen(afterMs: number, told: readonly string[]): Observation {
  const nowMs = at + afterMs
  const node = (key: string): NodeObservation => {
    const isTold = told.includes(key)
    return {
      key,
      heardAt: nowMs,
      toldAt: isTold ? nowMs : null,
      reach: 'up',
      instance: isTold ? 'i1' : null,
      counters: isTold ? COUNTERS : null,
      criticalAlerts: 0,
      change: isTold && key === 'n1' ? change('probation') : null,
      confirmed: [],
    }
  }
  return { nowMs, watchingSince: at, nodes: new Map(['n1', 'n2'].map((key) => [key, node(key)])) }
}

/** Of whom counters are taken for the stretch that begins; null when none begins. */
function begins(afterMs: number, told: readonly string[]): readonly string[] | null {
  const events = decide(takenOver(), seen(afterMs, told), { wave: judge, shadow: judgeShadow })
  const taken = events.find((event) => event.type === 'baseline.taken')
  return taken?.type === 'baseline.taken' ? Object.keys(taken.counters) : null
}

it('begins no stretch before the nodes told the one who took over where their counters stand', () => {
  expect(begins(100, [])).toBeNull()
  expect(begins(2000, ['n1'])).toBeNull()
  expect(begins(2000, ['n1', 'n2'])).toEqual(['n1', 'n2'])
})

it('waits for one that tells nothing only where nothing could be judged without it', () => {
  expect(begins(20_000, ['n1'])).toEqual(['n1'])
  expect(begins(20_000, ['n2'])).toBeNull()
})
