import { expect, test } from 'vitest'
import { parseExposition } from '../../../edge-daemon/health/exposition.ts'

test('reads names, labels with escapes, special values and timestamps', () => {
  const text = [
    '# HELP a help',
    'a 1',
    'b{x="1",y="q\\"\\\\\\nz",} -2.5e3 1700000000000',
    'c{} +Inf',
    'd NaN',
    'e{x="}"} 7',
  ].join('\n')
  expect(parseExposition(text, () => true)).toEqual([
    { name: 'a', labels: {}, value: 1 },
    { name: 'b', labels: { x: '1', y: 'q"\\\nz' }, value: -2500 },
    { name: 'c', labels: {}, value: Number.POSITIVE_INFINITY },
    { name: 'd', labels: {}, value: Number.NaN },
    { name: 'e', labels: { x: '}' }, value: 7 },
  ])
})

test('leaves out lines that are not of the format and goes on', () => {
  const text = ['a', 'a 1x', 'a{x=1} 1', 'a{x="1" 1', 'a{x="1"y="2"} 1', 'a 0x10', '{x="1"} 1', 'good 4', 'a '].join(
    '\n',
  )
  expect(parseExposition(text, () => true)).toEqual([{ name: 'good', labels: {}, value: 4 }])
})
