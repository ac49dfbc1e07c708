import { expect, test } from 'vitest'
import { NodeConditions } from '../../../edge-daemon/node-conditions.ts'
import type { RuleFault } from '../../../edge-daemon/rules/result-rules.ts'

function node() {
  const state = { store: 'ok' as 'ok' | 'failing', ready: true, nowMs: 1000, faults: [] as RuleFault[], forked: false }
  const conditions = new NodeConditions(
    {
      host: { conditions: () => [] },
      store: { status: () => ({ state: state.store, error: state.store === 'ok' ? null : 'ENOSPC' }) },
      service: { isReady: () => state.ready },
      rules: { faults: () => state.faults },
      disk: { findings: () => (state.forked ? [{ code: 'new_epoch', severity: 'warning', msg: 'copied' }] : []) },
      standing: { findings: () => [] },
      logs: { findings: () => [] },
      changes: { findings: () => [] },
    },
    () => state.nowMs,
  )
  const seen = (): Record<string, number> =>
    Object.fromEntries(conditions.look().map(({ code, since }) => [code, since]))
  return { state, conditions, seen }
}

test('a sound node has no condition', () => {
  expect(node().conditions.look()).toEqual([])
})

test('a condition keeps the time of its beginning for as long as it lasts, each its own', () => {
  const { state, seen } = node()
  state.store = 'failing'
  expect(seen()).toEqual({ store_failing: 1000 })
  state.nowMs = 5000
  state.ready = false
  expect(seen()).toEqual({ store_failing: 1000, model_not_ready: 5000 })
  state.nowMs = 9000
  state.store = 'ok'
  expect(seen()).toEqual({ model_not_ready: 5000 })
})

test('a condition that comes again begins anew', () => {
  const { state, seen } = node()
  state.ready = false
  seen()
  state.ready = true
  seen()
  state.nowMs = 7000
  state.ready = false
  expect(seen()).toEqual({ model_not_ready: 7000 })
})

test('the reason of the disk is told', () => {
  const { state, conditions } = node()
  state.store = 'failing'
  expect(conditions.look()[0]).toMatchObject({ severity: 'critical', msg: expect.stringContaining('ENOSPC') })
})

test('a rule that cannot be asked is told by its name', () => {
  const { state, conditions } = node()
  state.faults = [{ rule: 'slow', count: 3, msg: 'No such key: msg' }]
  expect(conditions.look()).toMatchObject([{ code: 'rule_failing', severity: 'warning' }])
  expect(conditions.look()[0]?.msg).toContain('rule slow could not be asked of 3 results')
})

test('tells of a new epoch as long as it is news', () => {
  const { state, seen } = node()
  state.forked = true
  expect(seen()).toEqual({ new_epoch: 1000 })
  state.forked = false
  expect(seen()).toEqual({})
})
