import { expect, test } from 'vitest'
import { LineSearch } from '../../../edge-daemon/search/line-search.ts'
import { needlesOf } from '../../../edge-daemon/search/needles.ts'
import type { LogFilter } from '../../../protocol/log-filter.ts'
import { compileLogFilter } from '../../../regex/log-matcher.ts'
import { requiredLiterals } from '../../../regex/required-literals.ts'
import { logLine } from '../../support/log-lines.ts'
import { seededRandom } from '../../support/random.ts'

const textsOf = (filter: LogFilter): string[][] =>
  needlesOf(filter).map(({ needles }) => needles.map((needle) => needle.toString()))

test.each<[string, readonly (readonly string[])[]]>([
  ['timeout|refused', [['timeout', 'refused']]],
  ['a(b|cd)+efg?h', [['a'], ['b', 'cd'], ['ef'], ['h']]],
  ['^upstream .* timed out$', [['upstream '], [' timed out']]],
  ['[0-9]+', []],
  ['(?i)disk', []],
  ['x*', []],
  ['(abc)?d', [['d']]],
])('what matches %j holds %j', (pattern, expected) => {
  expect(requiredLiterals(pattern)).toEqual(expected)
})

test('looks for texts as JSON writes them, and as they are cut where a field begins', () => {
  expect(textsOf({ pattern: 'status 504' })).toEqual([['status 504', '"504']])
  expect(textsOf({ pattern: 'camera=7 host' })).toEqual([['camera=7 host', 'camera":', '"host']])
  expect(textsOf({ pattern: 'say "no"' })).toEqual([['say \\"no\\"', '"\\"no\\"']])
  expect(textsOf({ pattern: 'Größe K', ignoreCase: true })).toEqual([['e k', '"k']])
  expect(textsOf({ pattern: '[0-9]', level: 'error', sources: ['pods/*', 'a"b'] })).toEqual([
    ['"source":"pods/', '"source":"a\\"b"'],
    ['"level":"error"', '"level":"fatal"'],
  ])
  expect(textsOf({ level: 'info', fields: [{ name: 'a', test: '!=', value: 'b' }] })).toEqual([])
})

test('takes no letter for ASCII that only its lower case is', () => {
  const filter = { pattern: 'n \u0130', ignoreCase: true }
  const compiled = compileLogFilter(filter)
  if (!compiled.ok) throw new Error(compiled.message)
  const line = '{"seq":1,"node_id":"n1","timestamp":5,"level":"info","source":"a","msg":"en \u0130zmir"}\n'
  const found: number[] = []
  const range = { afterSeq: 0, beforeSeq: 9, fromMs: 0, toMs: 9 }
  new LineSearch(compiled.matcher).find(Buffer.from(line), range, ({ seq }) => found.push(seq))
  expect(found).toEqual([1])
})

const PIECES = [
  'upstream',
  'timed out',
  'camera=',
  '[0-9]',
  '.*',
  'K42',
  'größe',
  '"quoted"',
  'a=b',
  'tab\\t',
  ' ',
  'ok',
  '(Disk|refused)',
  'host=',
  '$',
]

test.each([1, 2, 3, 4])('never passes over a line that a filter lets pass (seed %i)', (seed) => {
  const random = seededRandom(seed)
  const lines = Array.from({ length: 400 }, (_, n) => {
    const { timestamp, bodyJson } = logLine(random, n)
    return `{"seq":${n + 1},"node_id":"n1","timestamp":${timestamp},${bodyJson.slice(1)}`
  })
  const ndjson = Buffer.from(`${lines.join('\n')}\n`)
  const range = { afterSeq: 0, beforeSeq: 1e9, fromMs: 0, toMs: 9e15 }
  let passed = 0
  for (let round = 0; round < 400; round += 1) {
    const pick = (): string => PIECES[Math.floor(random() * PIECES.length)] ?? ''
    const pattern = Array.from({ length: 1 + Math.floor(random() * 4) }, pick).join('')
    const compiled = compileLogFilter({ pattern, ignoreCase: random() < 0.5 })
    if (!compiled.ok) throw new Error(`${pattern}: ${compiled.message}`)
    const found: number[] = []
    new LineSearch(compiled.matcher).find(ndjson, range, ({ seq }) => found.push(seq))
    const expected = lines.flatMap((line, n) => (compiled.matcher.matches(JSON.parse(line)) ? [n + 1] : []))
    expect({ pattern, found }).toEqual({ pattern, found: expected })
    passed += expected.length
  }
  expect(passed).toBeGreaterThan(1000)
})
