import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineProbe } from '../../../edge-daemon/search/line-probe.ts'
import { makeLine } from '../../../edge-daemon/store/line.ts'
import { type FilteredLine, logText } from '../../../protocol/log-filter.ts'
import { ByteAutomaton, END_OF_TEXT, FOUND, UNKNOWN } from '../../../regex/byte-automaton.ts'
import { compileRegex, type LinearRegex } from '../../../regex/linear-regex.ts'

const PATTERNS = [
  '[0-9]{3}',
  '^up',
  'out$',
  '^$',
  '\\bup\\b',
  '\\B',
  'a=b c',
  'camera=[0-6]$',
  'ok=(true|null) ',
  '"quoted"\\\\',
  '\\t.*\\n',
  '.\\z',
  'x*',
  '(?i)DISK|Kelvin',
  '(?m)^second$',
  '(?s)a.b',
  '[^ -~]',
  'größe',
  '\\pL{9}',
  'size=-?\\d+\\.\\d+',
  '(a|b)*abb(a|b)(a|b)(a|b)',
  ' host=$',
]
const WORDS = [
  'up',
  'out',
  'disk',
  '404',
  'a=b',
  '"quoted"\\',
  'a\tb\n',
  'größe',
  '\u212aelvin',
  '\u0001',
  'second',
  'abbaba',
]
const text = fc
  .array(fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 6 })), { maxLength: 8 })
  .chain((words) => fc.constantFrom(' ', '', '\n').map((between) => words.join(between)))
const line = fc.record(
  {
    level: fc.constantFrom('info', 'error'),
    source: fc.constantFrom('nginx', 'pods/"x"', 'größe'),
    msg: text,
    fields: fc.dictionary(
      fc.oneof(fc.constantFrom('camera', 'ok', 'host', 'size', '7', 'a b'), fc.string({ maxLength: 4 })),
      fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
      { maxKeys: 4 },
    ),
    origin: fc.constant('f3a9b2c1d0:40213:2526685976'),
    before: fc.constant([{ timestamp: 1, level: 'info', msg: 'up', fields: { camera: 3 } }]),
  },
  { requiredKeys: ['level', 'source', 'msg'] },
)

interface Both {
  readonly regex: LinearRegex
  readonly probe: LineProbe | null
}
const compiledOf = new Map<string, Both>()

/** Compiled once: a probe is used for line after line as well. */
function compiled(pattern: string, ignoreCase: boolean): Both {
  const name = `${ignoreCase} ${pattern}`
  const known = compiledOf.get(name)
  if (known !== undefined) return known
  const outcome = compileRegex(pattern, { ignoreCase })
  if (!outcome.ok) throw new Error(outcome.message)
  const both = { regex: outcome.regex, probe: LineProbe.of(pattern, ignoreCase) }
  compiledOf.set(name, both)
  return both
}

function holds(pattern: string, ignoreCase: boolean, record: object): { regex: boolean; probe: boolean } {
  const { regex, probe } = compiled(pattern, ignoreCase)
  const kept = makeLine(71, '"n1"', 1_793_000_000_000, JSON.stringify(record))
  const bytes = Buffer.from(`${makeLine(70, '"n1"', 1, '{"level":"info"}')}\n${kept}\n`)
  const from = bytes.indexOf(10) + 1
  return {
    regex: regex.test(logText(JSON.parse(kept) as FilteredLine)) === true,
    probe: probe === null || probe.mayHold(bytes, from, bytes.length - 1),
  }
}

test('never rules out a line that the pattern is found in', () => {
  fc.assert(
    fc.property(fc.constantFrom(...PATTERNS), fc.boolean(), line, (pattern, ignoreCase, record) => {
      const { regex, probe } = holds(pattern, ignoreCase, record)
      if (regex) expect(probe).toBe(true)
    }),
    { numRuns: 1500 },
  )
})

test.each<[pattern: string, record: object]>([
  ['[0-9]{3}', { msg: 'took 12 ms' }],
  ['up$', { msg: 'it is up', fields: { camera: 7 } }],
  ['camera=[0-6]', { msg: 'say "no"\\', fields: { camera: 7, size: 1.5, ok: true, host: null } }],
  ['f3a9', { msg: 'of a file', origin: 'f3a9b2c1d0:40213:2526685976' }],
  ['nginx|info|n1|71', { msg: 'what stands around the message is not looked at', fields: {} }],
])('rules out by bytes alone that %j is in %j', (pattern, record) => {
  expect(holds(pattern, false, { level: 'info', source: 'nginx', ...record })).toEqual({ regex: false, probe: false })
})

test.each([
  '^time out camera=7 ok=true size=-1\\.5 host=a\\tb none=null say="no"\\\\$',
  'out camera',
  '7 ok',
  'true size',
  '5 host=a',
  'b none=null ',
  '\\bno\\b',
])('finds %j over the seams of message and fields', (pattern) => {
  const fields = { camera: 7, ok: true, size: -1.5, host: 'a\tb', none: null, say: '"no"\\' }
  const record = { level: 'info', source: 'nginx', msg: 'time out', fields }
  expect(holds(pattern, false, record)).toEqual({ regex: true, probe: true })
})

test.each<[what: string, record: object]>([
  ['letters beyond ASCII', { level: 'info', source: 'a', msg: 'größe' }],
  ['another order', { msg: 'x', level: 'info', source: 'a' }],
  ['fields behind what comes last', { level: 'info', source: 'a', msg: 'x', origin: 'a', fields: { n: 404 } }],
  ['a character that is written as a number', { level: 'info', source: 'a', msg: '\u0001' }],
])('says nothing of a line with %s', (_, record) => {
  expect(holds('404', false, record).probe).toBe(true)
})

test('gives up where a pattern needs too many states, and then rules nothing out', () => {
  const probe = LineProbe.of('(a|b)*a(a|b){60}c', false)
  let n = 1
  const msg = Array.from({ length: 20_000 }, () => {
    n = (n * 48_271) % 2_147_483_647
    return n % 2 === 0 ? 'a' : 'b'
  }).join('')
  const held = Buffer.from(makeLine(1, '"n1"', 1, JSON.stringify({ level: 'info', source: 'a', msg })))
  const short = Buffer.from(makeLine(1, '"n1"', 1, '{"level":"info","source":"a","msg":"z"}'))
  expect(probe?.mayHold(short, 0, short.length)).toBe(false)
  expect(probe?.mayHold(held, 0, held.length)).toBe(true)
  expect(probe?.mayHold(short, 0, short.length)).toBe(true)
})

test('an automaton reads text in pieces as a regular expression reads it whole', () => {
  const ascii = fc.string({ unit: fc.constantFrom('a', 'b', '0', ' ', '"', '\\', '=', 'K', '\n'), maxLength: 30 })
  fc.assert(
    fc.property(fc.constantFrom(...PATTERNS), fc.boolean(), ascii, (pattern, ignoreCase, whole) => {
      const { regex } = compiled(pattern, ignoreCase)
      const automaton = ByteAutomaton.of(pattern, ignoreCase)
      if (automaton === null) return
      let state = automaton.start
      for (const char of [...whole].map((one) => one.charCodeAt(0)).concat(END_OF_TEXT)) {
        state = automaton.step(state, char)
        if (state <= FOUND) break
      }
      expect(state).not.toBe(UNKNOWN)
      expect(state === FOUND).toBe(regex.test(whole))
    }),
    { numRuns: 1500 },
  )
})
