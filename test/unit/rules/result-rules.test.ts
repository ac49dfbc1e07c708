import { expect, test } from 'vitest'
import { ABNORMAL_RESULTS, type JudgedResult, ResultRules } from '../../../edge-daemon/rules/result-rules.ts'

const preset = new ResultRules(ABNORMAL_RESULTS, 0.6)

test.each<[JudgedResult, string | null]>([
  [{ code: 200, confidence: 0.6 }, null],
  [{ code: 200, confidence: null }, null],
  [{ code: 200, confidence: 0.599 }, 'low_confidence'],
  [{ code: 422, confidence: null }, 'undecodable'],
  [{ code: 500, confidence: null }, 'failed'],
  [{ code: 503, confidence: 0.99 }, 'failed'],
])('judges %j as %j where nobody wrote rules', (result, reason) => {
  expect(preset.judge(result)).toBe(reason)
})

test('judges by rules over every field of a record', () => {
  const rules = new ResultRules(
    [
      { name: 'slow', when: 'result.total_ms > 50.0 && result.bytes < 1000', forMs: 0 },
      { name: 'seven', when: 'result.pred in [7, 8] && result.model.startsWith("digits@")', forMs: 0 },
      { name: 'told', when: 'has(result.msg) && result.msg.lowerAscii().contains("odd")', forMs: 0 },
    ],
    0.6,
  )
  const result = { code: 200, pred: 7, confidence: 0.9, model: 'digits@1.0.0', total_ms: 51, bytes: 999, msg: 'Odd' }
  expect(rules.judge(result)).toBe('slow')
  expect(rules.matches(result)).toEqual(['slow', 'seven', 'told'])
  expect(rules.judge({ ...result, total_ms: 50 })).toBe('seven')
  expect(rules.judge({ ...result, total_ms: 50, pred: 1 })).toBe('told')
  expect(rules.judge({ ...result, total_ms: 50, pred: 1, msg: 'even' })).toBe(null)
})

test('never hides a result behind a rule that cannot be asked: the others count, and else it is an error of the rule', () => {
  const rules = new ResultRules(
    [
      { name: 'needs_msg', when: 'result.msg == "x"', forMs: 0 },
      { name: 'failed', when: 'result.code >= 500', forMs: 0 },
    ],
    0.6,
  )
  expect(rules.judge({ code: 500 })).toBe('failed')
  expect(rules.judge({ code: 200 })).toBe('rule_error')
  expect(rules.judge({ code: 200, msg: 'y' })).toBe(null)
  expect(rules.faults()).toMatchObject([{ rule: 'needs_msg', count: 2, msg: expect.stringContaining('msg') }])
})
