import { expect, test } from 'vitest'
import { decodeClientFrame, decodeDaemonFrame, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'
import { readJson, shapeFault } from '../../../protocol/json-shape.ts'
import { statusFrame } from '../../support/live-frames.ts'

const SHAPE = { depth: 3, values: 8 }

test.each([
  ['[[[1]]]', null],
  ['[[[[1]]]]', 'deep'],
  ['{"a":{"b":{"c":1}}}', null],
  ['{"a":{"b":{"c":{}}}}', 'deep'],
  ['[1,2,3,4,5,6,7]', null],
  ['[1,2,3,4,5,6,7,8]', 'values'],
  ['["[[[[[[", "\\"[[[[", "a,b,c,d,e,f,g,h"]', null],
  ['"no end [[[[[[[[', null],
  [']]]]]]]][[[[', null],
  ['', null],
])('%j: %j', (text, fault) => {
  if (fault === null) expect(shapeFault(text, SHAPE)).toBe(null)
  else expect(shapeFault(text, SHAPE)).toContain(fault)
})

test('reads what is within the shape and says why it does not', () => {
  expect(readJson('{"a":[1]}', SHAPE)).toEqual({ ok: true, value: { a: [1] } })
  expect(readJson('{"a":', SHAPE)).toEqual({ ok: false, msg: 'it is not JSON' })
})

test('refuses frames that are nested or split too finely before a schema walks them', () => {
  const deep = `${'['.repeat(40)}${']'.repeat(40)}`
  const wide = `[${'0,'.repeat(70_000)}0]`
  for (const args of [deep, wide]) {
    const text = `{"t":"command","id":"c","verb":"v","args":{"a":${args}}}`
    expect(decodeClientFrame(text)).toMatchObject({
      ok: false,
      code: 'FRAME_INVALID',
      msg: expect.stringMatching(/deep|values/),
    })
  }
  const done = `{"t":"done","id":"c","result":{"a":${wide}}}`
  expect(done.length).toBeLessThan(MAX_FRAME_BYTES)
  expect(decodeDaemonFrame(done)).toMatchObject({ ok: false, msg: expect.stringContaining('values') })
})

test.each([
  ['kinds of bytes', { sentBytes: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`c${index}`, 1])) }],
  ['faults', { faults: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`f${index}`, 1])) }],
  [
    'conditions',
    {
      conditions: Array.from({ length: 65 }, (_, i) => ({
        code: `c${i}`,
        severity: 'info' as const,
        msg: '',
        since: 0,
      })),
    },
  ],
  ['alerts', { alerts: Array.from({ length: 65 }, (_, i) => alert(`r${i}`)) }],
  ['a rule with a long name', { alerts: [alert('r'.repeat(129))] }],
  [
    'a bucket that cannot be',
    { latency: { count: 1, sumMs: 1, maxMs: 1, buckets: [[1_000_000, 1]] as [number, number][] } },
  ],
])('takes no status with too many or too long %s', (_what, wish) => {
  expect(decodeDaemonFrame(JSON.stringify(statusFrame({ at: 1 })))).toMatchObject({ ok: true })
  expect(decodeDaemonFrame(JSON.stringify(statusFrame({ at: 1, ...wish })))).toMatchObject({ ok: false })
})

function alert(rule: string) {
  return { rule, severity: 'info' as const, value: 1, threshold: 1, unit: '', since: 0, msg: '' }
}
