import { expect, test } from 'vitest'
import type { Outcome } from '../../../edge-daemon/inference/outcome.ts'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { AnswerTap } from '../../../edge-daemon/shadow/answer-tap.ts'
import { LiveSource } from '../../../edge-daemon/shadow/live-source.ts'

const serving = { name: 'digits', version: '1.0.0' } as ServedModel
const answered: Outcome = {
  ok: true,
  pred: 7,
  confidence: 1,
  model: 'digits@1.0.0',
  decodeMs: 1,
  queueMs: 1,
  runMs: 3,
}

function listening(options: { samplePct?: number; random?: () => number } = {}): {
  tap: AnswerTap
  source: LiveSource
} {
  const tap = new AnswerTap()
  return { tap, source: new LiveSource({ tap, serving, samplePct: 100, ...options }) }
}

test('who waits gets the next answer with its picture, and the picture is a copy', async () => {
  const { tap, source } = listening()
  const next = source.next()
  const picture = Uint8Array.of(1, 2, 3)
  tap.tap(picture, answered)
  picture.fill(0)
  expect(await next).toEqual({ picture: Uint8Array.of(1, 2, 3), served: { ok: true, pred: 7, runMs: 3 } })
})

test('a full queue drops what comes and counts it; what waited is given in order', async () => {
  const { tap, source } = listening()
  for (let n = 0; n < 20; n += 1) tap.tap(Uint8Array.of(n), answered)
  expect(source.dropped).toBe(12)
  for (let n = 0; n < 8; n += 1) expect((await source.next())?.picture[0]).toBe(n)
  tap.tap(Uint8Array.of(99), answered)
  expect((await source.next())?.picture[0]).toBe(99)
})

test('large pictures fill the queue by their bytes', () => {
  const { tap, source } = listening()
  for (let n = 0; n < 3; n += 1) tap.tap(new Uint8Array(6e6), answered)
  expect(source.dropped).toBe(1)
})

test('only so many percent are looked at, and those of another model are passed over', () => {
  const draws = [0.05, 0.5, 0.99, 0.199, 0.2]
  const { tap, source } = listening({ samplePct: 20, random: () => draws.shift() ?? 1 })
  for (let n = 0; n < 5; n += 1) tap.tap(new Uint8Array(15e6), answered)
  // Two were looked at, of which the second does not fit beside the first.
  expect(source.dropped).toBe(1)
  tap.tap(new Uint8Array(15e6), { ...answered, model: 'digits@0.9.0' })
  tap.tap(new Uint8Array(15e6), { ok: false, code: 'OVERLOADED', msg: '', model: null })
  expect(draws).toEqual([])
  expect(source.dropped).toBe(1)
})

test('after the close nobody waits and nothing is heard', async () => {
  const { tap, source } = listening()
  const next = source.next()
  source.close()
  expect(await next).toBeNull()
  for (let n = 0; n < 20; n += 1) tap.tap(Uint8Array.of(1), answered)
  expect(source.dropped).toBe(0)
  expect(await source.next()).toBeNull()
})
