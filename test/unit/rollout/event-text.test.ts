import { expect, test } from 'vitest'
import type { RolloutEvent } from '../../../src/rollout/contract.ts'
import { eventText } from '../../../src/rollout/event-text.ts'
import { changeStatus, shadowReport } from '../../support/change-status.ts'
import { author, planOf } from '../../support/rollout-plan.ts'

const AT = 1_793_000_000_000
const PLAN = planOf({ canary: ['n1'], 'wave-1': ['n2', 'n3'] })
const stamp = { at: AT, term: 1 }
const finding = { gate: 'slow', against: 'limit', changed: null, baseline: null } as const

test.each<readonly [RolloutEvent, string, string]>([
  [
    {
      ...stamp,
      type: 'rollout.started',
      plan: PLAN,
      by: author('mia'),
      why: 'reads 7 better',
    },
    'person',
    'mia started digits 2.0.0 on 3 nodes in 2 waves: reads 7 better',
  ],
  [{ ...stamp, term: 3, type: 'driver.took', holder: 'mia@bastion' }, 'plain', 'mia@bastion drives it, term 3'],
  [
    { ...stamp, term: 0, type: 'person.decided', decision: 'approve', wave: 'canary', by: author('ben'), why: null },
    'person',
    'ben approved canary',
  ],
  [
    {
      ...stamp,
      term: 0,
      type: 'person.decided',
      decision: 'abort',
      wave: null,
      by: author('ben'),
      why: 'customer calls',
    },
    'person',
    'ben aborted it, so that what was changed goes back: customer calls',
  ],
  [
    { ...stamp, type: 'step.intended', node: 'n1', step: 'activate', attempt: 2, activation: 'a1', why: null },
    'routine',
    'n1 is to serve it, attempt 2',
  ],
  [
    { ...stamp, type: 'step.intended', node: 'n1', step: 'revert', attempt: 1, activation: 'a1', why: 'gates stop it' },
    'caution',
    'n1 is to go back: gates stop it',
  ],
  [
    { ...stamp, type: 'step.done', node: 'n1', step: 'stage', change: changeStatus('staging', AT) },
    'routine',
    'n1 fetches it',
  ],
  [
    {
      ...stamp,
      type: 'step.done',
      node: 'n1',
      step: 'shadow',
      change: changeStatus('staged', AT, { shadow: shadowReport(200, [[7, 1, 8]]) }),
    },
    'routine',
    'n1 has tried it on shadow: agreed on 192 of 200 (96.0 %)',
  ],
  [
    {
      ...stamp,
      type: 'step.failed',
      node: 'n1',
      step: 'stage',
      code: 'DISK_FULL',
      msg: 'no room for 40 MB',
      isFinal: true,
    },
    'bad',
    'n1: stage failed: no room for 40 MB (DISK_FULL)',
  ],
  [
    { ...stamp, type: 'node.returned', node: 'n1', fault: 'slow', msg: '40 of 120 took over 50 ms' },
    'bad',
    'n1 went back by itself: 40 of 120 took over 50 ms (slow)',
  ],
  [
    {
      ...stamp,
      type: 'gate.judged',
      wave: 'canary',
      verdict: {
        verdict: 'fail',
        findings: [
          { ...finding, verdict: 'fail', msg: '40 of 412 over 50 ms (9.7 %), limit 5 %' },
          { ...finding, gate: 'failed', verdict: 'pass', msg: '0 of 412 failed' },
        ],
      },
    },
    'bad',
    'canary: gates stop it: 40 of 412 over 50 ms (9.7 %), limit 5 %',
  ],
  [{ ...stamp, type: 'rollout.ended', outcome: 'done', exceptions: [] }, 'good', 'done'],
  [
    { ...stamp, type: 'rollout.ended', outcome: 'reverted', exceptions: [{ key: 'n1', why: 'dark' }] },
    'bad',
    'over: what was changed is back; 1 node neither changed nor back',
  ],
])('says %j in words', (event, tone, text) => {
  expect(eventText(event, PLAN)).toEqual({ tone, text })
})

test('does not tell of mandates, which only nodes read', () => {
  expect(eventText({ ...stamp, type: 'mandates.given', chain: [], mandates: [] }, PLAN)).toBeNull()
})

test('what others wrote into a journal is shown and never executed', () => {
  const event = { ...stamp, type: 'node.deferred', node: 'n\u001b[2J', why: 'dark\u202e\r\n' } as const
  expect(eventText(event, PLAN)?.text).toBe('n␛[2J is left for later: dark·␍␊')
})
