import { expect, test } from 'vitest'
import { MatchQuota } from '../../../edge-daemon/live/match-quota.ts'
import { SharedRow, wantsWithin } from '../../../edge-daemon/live/row-filter.ts'
import { compileLogFilter, type LogMatcher } from '../../../regex/log-matcher.ts'

function matcherOf(pattern: string): LogMatcher {
  const compiled = compileLogFilter({ pattern })
  if (!compiled.ok) throw new Error(compiled.message)
  return compiled.matcher
}

function row(msg: string): SharedRow {
  return new SharedRow({ seq: 1, timestamp: 1, line: JSON.stringify({ level: 'info', source: 'app', msg }) })
}

test('gives filters a tenth of the time together, an equal part each', () => {
  let nowMs = 0
  const quota = new MatchQuota(() => nowMs)
  const filters = [matcherOf('a'), matcherOf('b')]
  const spentMs = filters.map(() => 0)
  const untilMs = 100_000
  while (nowMs < untilMs) {
    for (const [at, costMs] of [5, 1].entries()) {
      const filter = filters[at]
      if (filter === undefined) continue
      quota.spend(filter, () => {
        nowMs += costMs
        spentMs[at] = (spentMs[at] ?? 0) + costMs
      })
    }
    nowMs += 1
  }
  for (const ms of spentMs) {
    expect(ms).toBeGreaterThan(untilMs * 0.045)
    expect(ms).toBeLessThan(untilMs * 0.055)
  }
})

test('gives a filter that is alone all of it, and pays back what one line costs over it', () => {
  let nowMs = 0
  const quota = new MatchQuota(() => nowMs)
  const filter = matcherOf('a')
  const cost = (ms: number) => (): boolean => {
    nowMs += ms
    return true
  }
  expect(quota.spend(filter, cost(120))).toBe(true)
  expect(quota.spend(filter, cost(1))).toBeNull()
  nowMs += 850
  expect(quota.spend(filter, cost(1))).toBeNull()
  nowMs += 50
  expect(quota.spend(filter, cost(1))).toBe(true)
})

test('holds a filter against a row once, whoever has it', () => {
  let matches = 0
  const filter = matcherOf('up')
  const counted = {
    ...filter,
    matches: (line: Parameters<LogMatcher['matches']>[0]) => {
      matches += 1
      return filter.matches(line)
    },
  }
  const quota = new MatchQuota(() => 0)
  const shared = row('upstream')
  expect([1, 2, 3].map(() => wantsWithin({ matcher: counted }, shared, quota))).toEqual([true, true, true])
  expect(matches).toBe(1)
})

test('tries no large pattern on a long line, unless it is sure at once that the line does not pass', () => {
  const quota = new MatchQuota(() => 0)
  const large = matcherOf('key [a-z]{200}\\d')
  const long = 'z'.repeat(60_000)
  expect(wantsWithin({ matcher: large }, row(`key ${long}`), quota)).toBeNull()
  expect(wantsWithin({ matcher: large }, row(`kez ${long}`), quota)).toBe(false)
  expect(wantsWithin({ matcher: matcherOf('key') }, row(`key ${long}`), quota)).toBe(true)
})
