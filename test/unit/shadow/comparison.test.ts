import { expect, test } from 'vitest'
import { type Answer, Comparison } from '../../../edge-daemon/shadow/comparison.ts'
import { shadowSchema } from '../../../protocol/change.ts'

const CLASSES = { candidate: ['no', 'yes'], current: ['yes', 'no'] }
const said = (pred: number, runMs = 1): Answer => ({ ok: true, pred, runMs })
const broke: Answer = { ok: false, by: 'model' }
const unreadable: Answer = { ok: false, by: 'picture' }

test('the same class under another number is the same', () => {
  const comparison = new Comparison(CLASSES)
  comparison.add({ candidate: said(1), current: said(0) })
  comparison.add({ candidate: said(1), current: said(1) })
  expect(comparison.report()).toMatchObject({ compared: 2, agreed: 1, confusion: [[1, 1, 1]] })
})

test('only what the candidate alone fails on is its error, and it is not compared', () => {
  const comparison = new Comparison(CLASSES)
  comparison.add({ candidate: broke, current: said(0) })
  comparison.add({ candidate: broke, current: broke })
  comparison.add({ candidate: said(0), current: broke })
  comparison.add({ candidate: unreadable, current: unreadable })
  expect(comparison.seen).toBe(3)
  expect(comparison.report()).toMatchObject({ compared: 0, agreed: 0, errors: 1, candidateMs: { count: 0 } })
})

test('a labelled picture counts for both, also where one fails', () => {
  const comparison = new Comparison(CLASSES)
  comparison.add({ candidate: said(1), current: said(0), label: 'yes' })
  comparison.add({ candidate: broke, current: said(1), label: 'no' })
  comparison.add({ candidate: said(0), current: broke, label: 'no' })
  expect(comparison.report().labelled).toEqual({ total: 3, currentRight: 2, candidateRight: 2 })
})

test('the most frequent disagreements are told, as many as a status may hold', () => {
  const classes = Array.from({ length: 200 }, (_, n) => `class ${n}`)
  const comparison = new Comparison({ candidate: classes, current: classes })
  for (let pred = 1; pred < 200; pred += 1) {
    for (let times = 0; times <= (pred === 150 ? 3 : 0); times += 1) {
      comparison.add({ candidate: said(pred), current: said(0), currentMs: 2 })
    }
  }
  const report = comparison.report()
  expect(report.confusion[0]).toEqual([0, 150, 4])
  expect(report.confusion).toHaveLength(64)
  expect(report.currentMs.maxMs).toBe(2)
  expect(() => shadowSchema.parse({ ...report, source: 'live', wanted: 1, isDone: false })).not.toThrow()
})
