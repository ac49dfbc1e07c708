import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeFault, nearest, readDocument } from '../../../settings/document.ts'

const schema = z.strictObject({
  nodes: z.array(z.strictObject({ name: z.string(), url: z.string() })),
  theme: z.string().optional(),
})

function faultsOf(text: string): string[] {
  const read = readDocument(text, schema)
  return read.ok ? [] : read.faults.map((fault) => describeFault('f.yaml', fault))
}

test('what is missing is told as missing, at the line that lacks it', () => {
  expect(faultsOf('theme: dark\nnodes:\n  - name: a\n')).toEqual([
    'f.yaml:3: nodes.0.url: is missing; write it as a string',
  ])
})

test('faults come in the order of the file', () => {
  const lines = faultsOf('nodes:\n  - name: 1\n    url: 2\ntheme: 3\nbad: 1\n').map((fault) =>
    Number(fault.split(':')[1]),
  )
  expect(lines).toEqual(lines.toSorted((a, b) => a - b))
  expect(lines.length).toBe(4)
})

test('a binary file is told in a few short lines', () => {
  const noise = Array.from({ length: 4000 }, (_, index) => String.fromCharCode((index * 7919) % 256)).join('')
  const faults = faultsOf(noise)
  expect(faults.length).toBeGreaterThan(0)
  expect(faults.length).toBeLessThanOrEqual(11)
  for (const fault of faults) expect(fault.length).toBeLessThan(260)
})

test.each([
  ['theem', 'theme'],
  ['nmae', 'name'],
  ['bogus', null],
  ['zzz', null],
])('%j is most likely %j', (typed, meant) => {
  expect(nearest(typed, ['name', 'theme', 'logs', 'nodes'])).toBe(meant)
})
