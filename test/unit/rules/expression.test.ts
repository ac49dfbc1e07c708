import { expect, test } from 'vitest'
import { compileExpression, MAX_EXPRESSION_CHARS } from '../../../edge-daemon/rules/expression.ts'
import { METRIC_VARIABLES } from '../../../edge-daemon/rules/metric-rules.ts'
import { RESULT_VARIABLES } from '../../../edge-daemon/rules/result-rules.ts'

test.each([
  ['result.cod > 1', 7, 'No such key: cod'],
  ['result.code >', 13, 'EOF'],
  ['code > 1', 0, 'Unknown variable: code'],
  ['result.code', 0, 'true or false'],
  ['result.code > 1 && result.pred == "x"', 19, 'no such overload'],
  ['result.confidence == 1', 0, 'with a point'],
  ['result.confidence / 2 > 0.1', 0, 'with a point'],
  ['result.code > 1 && result.msg.matches("a(b")', 39, 'missing closing'],
  ['result.msg.matches("x{3}[z-a]")', 25, 'invalid character class range'],
  ['result.msg.matches("(?=a)")', 20, 'unsupported Perl syntax'],
  ['result.msg.matches(result.model)', 26, 'takes its pattern as a text'],
  ['result.msg.matches("([ab]{200}){4}")', 19, 'repetitions'],
  ['[1, 2].exists(x, x > 1)', 0, 'exists is not taken'],
  ['[1].all(x, [1].all(y, [1].all(z, z > 0)))', 0, 'all is not taken'],
  ['result.msg.split("").join("aaaa") == ""', 0, 'not taken'],
  [`result.msg == "${'x'.repeat(MAX_EXPRESSION_CHARS)}"`, MAX_EXPRESSION_CHARS, 'over'],
  [`${'('.repeat(200)}true${')'.repeat(200)}`, 0, ''],
])('refuses %j', (source, offset, message) => {
  const compiled = compileExpression(source, RESULT_VARIABLES)
  if (compiled.ok) throw new Error('it was taken')
  expect(compiled.message).toContain(message)
  if (message !== '' && !message.includes('not taken')) expect(compiled.offset).toBe(offset)
})

test('says which fields an expression looks at, each once, and is asked with them alone', () => {
  const compiled = compileExpression('host.cpuPct > 90.0 && (host.cpuPct < 99 || store.failing)', METRIC_VARIABLES)
  if (!compiled.ok) throw new Error(compiled.message)
  expect(compiled.expression.paths).toEqual(['host.cpuPct', 'store.failing'])
  expect(compiled.expression.evaluate({ host: { cpuPct: 95 }, store: {} })).toEqual({ known: true, holds: true })
  expect(compiled.expression.evaluate({ host: { cpuPct: 5 }, store: {} })).toEqual({ known: true, holds: false })
  expect(compiled.expression.evaluate({ host: { cpuPct: 99.5 }, store: {} })).toMatchObject({ known: false })
  expect(compiled.expression.evaluate({ host: {}, store: {} })).toMatchObject({ known: false })
})

test('takes a condition of a hundred parts', () => {
  const source = Array.from({ length: 40 }, (_, index) => `result.code == ${index}`).join(' || ')
  expect(compileExpression(source, RESULT_VARIABLES)).toMatchObject({ ok: true })
})

test('matches a regular expression anywhere in a text, and says nothing of one that is too long', () => {
  const compiled = compileExpression('result.msg.matches("E[0-9]{3}$")', RESULT_VARIABLES)
  if (!compiled.ok) throw new Error(compiled.message)
  const ask = (msg: string) => compiled.expression.evaluate({ result: { msg }, minConfidence: 0.5 })
  expect(ask('ended with E404')).toEqual({ known: true, holds: true })
  expect(ask('ended with E40')).toEqual({ known: true, holds: false })
  expect(ask('x'.repeat(20_000))).toMatchObject({ known: false, msg: expect.stringContaining('too long') })
})
