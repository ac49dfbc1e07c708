import { expect, test } from 'vitest'
import { ABNORMAL_METRICS, MetricRules, type Metrics } from '../../../edge-daemon/rules/metric-rules.ts'

const HOT = [{ name: 'cpu_hot', when: 'host.cpuPct > 90.0', forMs: 3000 }]

function metrics(cpuPct?: number): Metrics {
  return { host: cpuPct === undefined ? {} : { cpuPct }, inference: {}, store: { failing: false }, uplink: {} }
}

/** One look a second; what each look told, by state and the time from begin to end in s. */
function told(rules: MetricRules, looks: readonly (number | undefined)[], fromSec = 0): string[] {
  return looks.flatMap((cpuPct, index) => {
    const sec = fromSec + index
    return rules
      .look(metrics(cpuPct), 1_000_000 + sec * 1000, sec * 1000)
      .map(({ state, from, to }) => `${sec}: ${state} ${(from - 1_000_000) / 1000}-${(to - 1_000_000) / 1000}`)
  })
}

test('tells an abnormal metric once it has lasted, dated to its begin, and its end once that has lasted', () => {
  const rules = new MetricRules(HOT, 600_000)
  const looks = [50, 95, 95, 95, 95, 95, 95, 40, 40, 40, 40, 40]
  expect(told(rules, looks)).toEqual(['4: abnormal 1-4', '10: normal 1-10'])
})

test('tells nothing of what does not last, and begins to count anew', () => {
  const rules = new MetricRules(HOT, 600_000)
  expect(told(rules, [95, 95, 95, 40, 95, 95, 95, 40, 40])).toEqual([])
})

test('takes a look that knows nothing for neither', () => {
  const rules = new MetricRules(HOT, 600_000)
  expect(told(rules, [95, undefined, 95, undefined, 95, 95, 95])).toEqual(['5: abnormal 0-5'])
})

test('tells one that goes on again, as often as it may', () => {
  const rules = new MetricRules(HOT, 5000)
  const looks = Array.from({ length: 16 }, () => 95)
  expect(told(rules, looks)).toEqual(['3: abnormal 0-3', '8: abnormal 0-8', '13: abnormal 0-13'])
})

test('goes on over a restart: its end is told, and it does not begin a second time', () => {
  const rules = new MetricRules(HOT, 600_000)
  rules.resume([{ rule: 'cpu_hot', expr: 'host.cpuPct > 90.0', from: 1_000_000 }])
  expect(told(rules, [40, 40, 40, 40], 100)).toEqual(['103: normal 0-103'])
  expect(told(rules, [40, 40, 40, 40], 104)).toEqual([])
})

test('tells the end of what a rule that is no more called abnormal, once', () => {
  const rules = new MetricRules(HOT, 600_000)
  rules.resume([{ rule: 'gone', expr: 'host.load1 > 9.0', from: 999_000 }])
  expect(rules.look(metrics(1), 1_000_000, 0)).toEqual([
    {
      timestamp: 1_000_000,
      rule: 'gone',
      state: 'normal',
      expr: 'host.load1 > 9.0',
      values: {},
      from: 999_000,
      to: 1_000_000,
    },
  ])
  expect(rules.look(metrics(1), 1_001_000, 1000)).toEqual([])
})

test('says what it looked at', () => {
  const rules = new MetricRules([{ name: 'any', when: 'host.cpuPct > 1.0 || host.tempC > 1.0', forMs: 0 }], 600_000)
  const { values, expr } = rules.look(metrics(93.1), 1, 0)[0] ?? {}
  expect({ values, expr }).toEqual({
    values: { 'host.cpuPct': 93.1, 'host.tempC': null },
    expr: 'host.cpuPct > 1.0 || host.tempC > 1.0',
  })
})

test('the rules there are when nobody wrote any compile, and say nothing of a quiet node', () => {
  const rules = new MetricRules(ABNORMAL_METRICS, 600_000)
  expect(
    told(
      rules,
      Array.from({ length: 100 }, () => 10),
    ),
  ).toEqual([])
})
