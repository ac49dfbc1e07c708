import { expect, test } from 'vitest'
import { ResultRules } from '../../../edge-daemon/rules/result-rules.ts'
import { RuleTrials } from '../../../edge-daemon/rules/trial.ts'
import type { ResultRecord } from '../../../protocol/records.ts'

function result(seq: number, change: Partial<ResultRecord> = {}): ResultRecord {
  const body = { code: 200, pred: seq % 10, confidence: 0.9, model: 'digits@1', total_ms: seq, bytes: 100 }
  return { seq, node_id: 'n1', timestamp: 1000 + seq, ...body, ...change }
}

test('counts what each rule holds for, whose reason it would be, and keeps the newest examples', () => {
  const specs = [
    { name: 'slow', when: 'result.total_ms > 90.0', forMs: 0 },
    { name: 'seven', when: 'result.pred == 7', forMs: 0 },
  ]
  const trials = new RuleTrials(new ResultRules(specs, 0.6), ['slow', 'seven'])
  for (let seq = 1; seq <= 100; seq += 1) trials.take(result(seq, seq === 50 ? { reason: 'failed' } : {}))
  const report = trials.report()
  expect(report).toMatchObject({ results: 100, from: 1001, to: 1100, abnormal: 19, wasAbnormal: 1 })
  expect(report.rules).toMatchObject([
    { rule: 'slow', matched: 10, reason: 10, share: 0.1 },
    { rule: 'seven', matched: 10, reason: 9, share: 0.1 },
  ])
  expect(report.rules[1]?.examples.map(({ seq }) => seq)).toEqual([77, 87, 97])
})

test('tells how often a rule could not be asked', () => {
  const specs = [{ name: 'told', when: 'result.msg == "x"', forMs: 0 }]
  const trials = new RuleTrials(new ResultRules(specs, 0.6), ['told'])
  trials.take(result(1))
  trials.take(result(2, { msg: 'x' }))
  expect(trials.report().rules.map(({ rule, matched }) => [rule, matched])).toEqual([
    ['told', 1],
    ['rule_error', 1],
  ])
})

test('says nothing of no results', () => {
  const trials = new RuleTrials(new ResultRules([], 0.6), [])
  expect(trials.report()).toEqual({ results: 0, from: null, to: null, abnormal: 0, wasAbnormal: 0, rules: [] })
})
