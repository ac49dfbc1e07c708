import { expect, test } from 'vitest'
import { logFilterSchema } from '../../../protocol/log-filter.ts'
import { parseLogFilter } from '../../../src/fleet/log-filter-text.ts'
import { readPattern } from '../../../src/fleet/log-pattern.ts'

test.each([
  ['', {}],
  ['timeout|refused', { pattern: 'timeout|refused', ignoreCase: true }],
  ['Timeout', { pattern: 'Timeout' }],
  ['\\S+ \\p{Lu}x', { pattern: '\\S+ \\p{Lu}x', ignoreCase: true }],
  ['source:nginx source:pods/*', { sources: ['nginx', 'pods/*'] }],
  [
    'field:camera=7 field:camera!=8 field:path~^/infer slow answer',
    {
      fields: [
        { name: 'camera', test: '=', value: '7' },
        { name: 'camera', test: '!=', value: '8' },
        { name: 'path', test: '~', value: '^/infer' },
      ],
      pattern: 'slow answer',
      ignoreCase: true,
    },
  ],
])('a filter %j asks nodes for %j', (text, filter) => {
  const parsed = parseLogFilter(text)
  expect(parsed).toEqual({ ok: true, filter })
  if (parsed.ok) expect(logFilterSchema.parse(parsed.filter)).toEqual(filter)
})

test.each([
  ['source:', 'write a source behind'],
  ['field:camera', 'write a field as field:camera=7'],
  ['field:x~(', 'missing closing )'],
  ['a(b', 'missing closing ): a(b; write \\ before'],
  ['a(?!b)', 'write \\ before'],
])('a filter %j is refused with what to write', (text, message) => {
  expect(parseLogFilter(text)).toMatchObject({ ok: false, message: expect.stringContaining(message) })
})

test('a pattern without a capital letter is found in any case, plain or not, and says where', () => {
  for (const text of ['uplink', 'up.ink']) {
    const read = readPattern(text)
    if (!read.ok) throw new Error(read.message)
    expect(read.pattern.test('the UPLINK is lost')).toBe(true)
    expect(read.pattern.ranges('the UPLINK is lost', 5)).toEqual([{ from: 4, to: 10 }])
  }
  const strict = readPattern('Uplink')
  expect(strict.ok && strict.pattern.test('the UPLINK is lost')).toBe(false)
})
