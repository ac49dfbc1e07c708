import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PackedRecords, packed, unpacked } from '../../../edge-daemon/store/packed-records.ts'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'

const record = fc.record({
  recordClass: fc.constantFrom(...RECORD_CLASSES),
  timestamp: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  // Newlines of all kinds, quotes and half pairs in a text of it are escaped by JSON.
  bodyJson: fc
    .record({ msg: fc.string({ unit: 'binary' }), n: fc.integer(), long: fc.constantFrom('', 'x'.repeat(5000)) })
    .map((body) => JSON.stringify({ ...body, lines: '\n\r\n\u2028' })),
})

function pack(
  records: readonly { recordClass: (typeof RECORD_CLASSES)[number]; timestamp: number; bodyJson: string }[],
) {
  return packed(
    records.map(({ recordClass }) => recordClass),
    records.map(({ timestamp }) => timestamp),
    records.map(({ bodyJson }) => bodyJson),
  )
}

test('records come out of a thread message as they went in and in their order', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), (records) => {
      const came = unpacked(structuredClone(pack(records)))
      expect(came.map(({ class: recordClass, timestamp, bodyJson }) => ({ recordClass, timestamp, bodyJson }))).toEqual(
        records,
      )
    }),
  )
})

test('a body shares its text with few others, so that who keeps it keeps little', () => {
  const bodyJson = JSON.stringify({ msg: 'y'.repeat(200) })
  const { bodies } = pack(Array.from({ length: 5000 }, () => ({ recordClass: 'log' as const, timestamp: 1, bodyJson })))
  expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThan(10_000)
})

test.each<[name: string, change: (whole: PackedRecords) => PackedRecords]>([
  ['a class too many', (whole) => ({ ...whole, classes: [...whole.classes, ['error', 1]] })],
  ['a class too few', (whole) => ({ ...whole, classes: whole.classes.slice(1) })],
  ['a time too few', (whole) => ({ ...whole, timestamps: whole.timestamps.slice(1) })],
  ['a body too many', (whole) => ({ ...whole, bodies: [...whole.bodies, '{}'] })],
])('refuses %s instead of giving a record what is of another', (_, change) => {
  const whole = pack([
    { recordClass: 'log', timestamp: 1, bodyJson: '{"n":1}' },
    { recordClass: 'error', timestamp: 2, bodyJson: '{"n":2}' },
  ])
  expect(() => unpacked(change(whole))).toThrow(RangeError)
})
