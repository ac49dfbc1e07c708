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
