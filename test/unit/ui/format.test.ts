import { expect, test } from 'vitest'
import {
  formatAge,
  formatByteRate,
  formatBytes,
  formatClock,
  formatCount,
  formatMs,
  formatPct,
  formatRate,
  formatSaved,
} from '../../../src/ui/format.ts'

test('what is not known is never shown as a figure', () => {
  for (const format of [formatCount, formatRate, formatMs, formatBytes, formatByteRate, formatPct, formatAge])
    expect(format(null)).toBe('–')
})

test.each([
  [formatCount, 0, '0'],
  [formatCount, 9999, '9999'],
  [formatCount, 12_340, '12.3k'],
  [formatRate, 0, '0'],
  [formatRate, 0.421, '0.42'],
  [formatRate, 17.94, '17.9'],
  [formatRate, 999.9, '1000'],
  [formatMs, 0.4, '0.40 ms'],
  [formatMs, 7.31, '7.3 ms'],
  [formatMs, 99.96, '100 ms'],
  [formatMs, 12_300, '12.3 s'],
  [formatBytes, 0, '0 B'],
  [formatBytes, 999, '999 B'],
  [formatBytes, 999.7, '1.0 KB'],
  [formatBytes, 1234, '1.2 KB'],
  [formatBytes, 999_600, '1.0 MB'],
  [formatByteRate, 55_400_000, '55.4 MB/s'],
  [formatPct, 4.25, '4.3 %'],
  [formatSaved, 97.2, '97 %'],
  [formatSaved, -3490, 'none'],
  [formatPct, 42.4, '42 %'],
  [formatPct, 99.24, '99.2 %'],
  [formatPct, 99.999, '99.99 %'],
  [formatPct, 100, '100 %'],
  [formatPct, -312, '-312 %'],
  [formatAge, 3999, '3s'],
  [formatAge, 185_000, '3m 5s'],
  [formatAge, 7_440_000, '2h 4m'],
] as const)('%o of %d is shown as %s', (format, value, shown) => {
  expect(format(value)).toBe(shown)
})

test('a clock is of the zone that was asked for', () => {
  expect(formatClock(Date.UTC(2026, 10, 22, 7, 5, 9), 'utc')).toBe('07:05:09')
})
