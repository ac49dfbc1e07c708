import { expect, test } from 'vitest'
import { isSafe, untrusted } from '../../../protocol/untrusted-text.ts'

test.each([
  ['an escape', '\u001b[2Jboo', '␛[2Jboo'],
  ['a C1 control', 'a\u009b31mb', 'a·31mb'],
  ['a newline', 'a\r\nb', 'a␍␊b'],
  ['a bidi override', 'user\u202etxt.exe', 'user·txt.exe'],
  ['a bidi isolate', 'a\u2066b', 'a·b'],
  ['a zero-width space', 'no\u200bde', 'no·de'],
  ['a tag character', 'a\u{e0041}b', 'a·b'],
  ['a lone surrogate', 'a\ud800b', 'a·b'],
  ['a tab', 'a\tb', 'a b'],
])('%s is shown, not executed', (_name, hostile, shown) => {
  expect(isSafe(hostile)).toBe(false)
  expect(untrusted(hostile)).toBe(shown)
  expect(isSafe(untrusted(hostile))).toBe(true)
})

test('a flood of combining marks is cut to four', () => {
  expect(untrusted(`e${'\u0301'.repeat(500)}x`)).toBe(`e${'\u0301'.repeat(4)}x`)
})

test('honest text of any script stays as it is', () => {
  for (const honest of ['节点-1', 'nœud', 'ノード', 'узел', 'é', '👩🏽‍🔧']) expect(untrusted(honest)).toBe(honest)
})
