import { expect, test } from 'vitest'
import type { FilteredLine, LogFilter } from '../../../protocol/log-filter.ts'
import { compileLogFilter } from '../../../regex/log-matcher.ts'

const LINE: FilteredLine = {
  level: 'warn',
  source: 'pods/nginx',
  msg: 'upstream timed out (110)',
  fields: { camera: 7, host: 'edge-1', ok: false, none: null },
}

function passes(filter: LogFilter, line: FilteredLine = LINE): boolean {
  const compiled = compileLogFilter(filter)
  if (!compiled.ok) throw new Error(compiled.message)
  return compiled.matcher.matches(line)
}

test.each<[LogFilter, boolean]>([
  [{}, true],
  [{ level: 'warn' }, true],
  [{ level: 'error' }, false],
  [{ sources: ['edge-daemon', 'pods/*'] }, true],
  [{ sources: ['pods'] }, false],
  [{ pattern: 'timed out' }, true],
  [{ pattern: 'Timed Out' }, false],
  [{ pattern: 'Timed Out', ignoreCase: true }, true],
  [{ pattern: 'timed|refused', sources: ['pods/nginx'], level: 'info' }, true],
  [{ pattern: 'camera=7 host=edge-\\d$' }, false],
  [{ pattern: '\\(110\\) camera=7 host=edge-\\d ' }, true],
  [{ pattern: 'none=null' }, true],
  [{ fields: [{ name: 'camera', test: '=', value: '7' }] }, true],
  [{ fields: [{ name: 'camera', test: '!=', value: '7' }] }, false],
  [{ fields: [{ name: 'ok', test: '=', value: 'false' }] }, true],
  [{ fields: [{ name: 'host', test: '~', value: '^edge' }] }, true],
  [{ fields: [{ name: 'lost', test: '!=', value: 'x' }] }, true],
  [{ fields: [{ name: 'lost', test: '=', value: 'undefined' }] }, false],
  [{ fields: [{ name: 'lost', test: '~', value: '' }] }, false],
  [{ fields: [{ name: 'toString', test: '~', value: '.' }] }, false],
])('%j: %j', (filter, expected) => {
  expect(passes(filter)).toBe(expected)
})

test('looks at the whole of the longest line that may be followed, and says no at its end', () => {
  const long = { level: 'info', source: 'app', msg: `${'x'.repeat(65_530)} disk` } as const
  expect(passes({ pattern: 'disk$' }, long)).toBe(true)
  expect(passes({ pattern: 'disc$' }, long)).toBe(false)
})

test('refuses a pattern with what RE2 says and the part that is wrong, also one of a field', () => {
  expect(compileLogFilter({ pattern: 'a(?=b)' })).toMatchObject({ ok: false, pattern: 'a(?=b)', part: '(?=' })
  const fields = [
    { name: 'a', test: '=', value: '(' },
    { name: 'b', test: '~', value: 'x(' },
  ] as const
  expect(compileLogFilter({ pattern: 'fine', fields: [...fields] })).toMatchObject({ ok: false, pattern: 'x(' })
})
