import { expect, test } from 'vitest'
import { briefStatus } from '../../../edge-daemon/brief-status.ts'
import type { StatusBody } from '../../../edge-daemon/live/contract.ts'

const kept = (records: number, evicted: number) => ({
  records,
  bytes: records * 100,
  oldestAt: null,
  maxBytes: null,
  maxAgeMs: null,
  evicted,
})
const level = (committed: number) => ({ committed, held: 0, synced: 0 })

test('a status leaves out classes that say nothing, and nothing else', () => {
  const store = { state: 'ok', byClass: { normal: kept(3, 0), alert: kept(0, 0), input: kept(0, 7) } }
  const targets = [
    { name: 'east', levels: { stat: level(4), alert: level(0) } },
    { name: 'old', rttMs: 1 },
  ]
  const status = { store, uplink: { targets, backlogRecords: 2 }, alerts: [] } as unknown as StatusBody
  expect(briefStatus(status)).toEqual({
    store: { state: 'ok', byClass: { normal: kept(3, 0), input: kept(0, 7) } },
    uplink: {
      targets: [
        { name: 'east', levels: { stat: level(4) } },
        { name: 'old', rttMs: 1 },
      ],
      backlogRecords: 2,
    },
    alerts: [],
  })
  const older = { ...status, store: { state: 'ok' } } as unknown as StatusBody
  expect(briefStatus(older).store).toEqual({ state: 'ok' })
})

test('of a change that is over it tells the counts of its shadow and no histograms, each second for ever', () => {
  const times = { count: 9, sumMs: 9, maxMs: 1, buckets: [[0, 9]] }
  const shadow = { compared: 9, agreed: 8, confusion: [[1, 7, 1]], candidateMs: times, currentMs: times }
  const status = (isLocked: boolean) =>
    ({
      store: { state: 'ok' },
      uplink: { targets: [] },
      changes: { change: { phase: 'confirmed', isLocked, shadow }, models: ['digits@1.0.0'] },
    }) as unknown as StatusBody
  expect(briefStatus(status(true)).changes).toEqual(status(true).changes)
  const over = briefStatus(status(false)).changes
  expect(over).toMatchObject({ models: ['digits@1.0.0'], change: { phase: 'confirmed' } })
  expect(over?.change?.shadow).toMatchObject({ compared: 9, agreed: 8, confusion: [], candidateMs: { buckets: [] } })
})
