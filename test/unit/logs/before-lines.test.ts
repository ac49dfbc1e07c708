import { expect, test } from 'vitest'
import { BeforeLines } from '../../../edge-daemon/logs/follow/before-lines.ts'

const line = (msg: string, fields: Record<string, string | number> | null = null) => {
  return { timestamp: 1, level: 'info' as const, msg, fields }
}
const texts = (lines: readonly { readonly msg: string }[]) => lines.map(({ msg }) => msg)

test('lines that go along hold their fields, so that those with the same message are told apart', () => {
  const before = new BeforeLines(2)
  for (const camera of [1, 2, 3]) before.take('app', line('infer', { camera, ms: `${camera}0` }), 'log')
  expect(texts(before.take('app', line('failed'), 'error'))).toEqual(['infer camera=2 ms=20', 'infer camera=3 ms=30'])
  expect(before.take('app', line('failed'), 'error')).toEqual([])
})

test('neither a long message nor long fields take more along than 1024 characters', () => {
  const before = new BeforeLines(3)
  before.take('app', line('x'.repeat(5000), { camera: 7 }), 'log')
  before.take('app', line('short', { a: 'y'.repeat(900), b: 'z'.repeat(60_000), c: 1 }), 'log')
  before.take('app', line('even'.repeat(256)), 'log')
  const [long, wide, even] = texts(before.take('app', line('failed'), 'error'))
  expect([long?.length, wide?.length, even?.length]).toEqual([1024, 1024, 1024])
  expect(long?.endsWith('x…')).toBe(true)
  expect(wide).toMatch(/^short a=y{900} b=z+…$/)
  expect(even).toBe('even'.repeat(256))
})
