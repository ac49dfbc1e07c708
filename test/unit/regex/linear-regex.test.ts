import { expect, test } from 'vitest'
import { compileRegex, type LinearRegex, MAX_PATTERN_CHARS, MAX_SUBJECT_CHARS } from '../../../regex/linear-regex.ts'

function regex(pattern: string): LinearRegex {
  const compiled = compileRegex(pattern)
  if (!compiled.ok) throw new Error(compiled.message)
  return compiled.regex
}

/** The best of some runs, ms: what else the machine does only adds to it. */
function costMs(of: LinearRegex, text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 5; run += 1) {
    const beganMs = performance.now()
    of.test(text)
    best = Math.min(best, performance.now() - beganMs)
  }
  return best
}

test.each([
  ['(a+)+$', 'a', '!'],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a', ''],
  ['(x+x+)+y', 'x', ''],
  ['([ab]*a){12}[ab]{60}c', 'ab', ''],
])('%j takes time in proportion to the text, where backtracking takes years', (pattern, piece, end) => {
  const found = regex(pattern)
  const textOf = (chars: number): string => piece.repeat(chars / piece.length) + end
  const shortMs = costMs(found, textOf(MAX_SUBJECT_CHARS / 16))
  const longMs = costMs(found, textOf(MAX_SUBJECT_CHARS - 2))
  expect(found.test(textOf(1000))).toBe(false)
  // Sixteen times the text: squared it would be 256 times the time. A clock's tick and a cold start are allowed for.
  expect(longMs).toBeLessThan(64 * shortMs + 50)
})

test('refuses what it cannot match in linear time, what is wrong, and what is too large, each with the piece', () => {
  expect(compileRegex('a(?!b)')).toMatchObject({ ok: false, part: '(?!' })
  expect(compileRegex('(a)\\1')).toMatchObject({ ok: false, part: '\\1' })
  expect(compileRegex('a**')).toMatchObject({ ok: false, part: '**' })
  expect(compileRegex('(((a{100}){100}){100})')).toMatchObject({ ok: false })
  expect(compileRegex('[a-z]{600}')).toMatchObject({ ok: false, part: null })
  expect(compileRegex('x'.repeat(MAX_PATTERN_CHARS + 1))).toMatchObject({ ok: false, part: null })
})

test('does not look at a text that is too long', () => {
  expect(regex('x').test('x'.repeat(MAX_SUBJECT_CHARS))).toBe(true)
  expect(regex('x').test('x'.repeat(MAX_SUBJECT_CHARS + 1))).toBe(null)
})

test('tells where a pattern is found, without empty finds, overlaps or more than was asked', () => {
  expect(regex('o+').ranges('foo boo', 9)).toEqual([
    { from: 1, to: 3 },
    { from: 5, to: 7 },
  ])
  expect(regex('x*').ranges('axb', 9)).toEqual([{ from: 1, to: 2 }])
  expect(regex('.').ranges('质量ok', 2)).toEqual([
    { from: 0, to: 1 },
    { from: 1, to: 2 },
  ])
  expect(regex('a').ranges('a'.repeat(MAX_SUBJECT_CHARS + 1), 9)).toEqual([])
})
