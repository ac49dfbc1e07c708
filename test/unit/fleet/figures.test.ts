import { describe, expect, it } from 'vitest'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { arrived, latencyOf, statusFrame, welcomeFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'
import { seededRandom } from '../../support/random.ts'

function fleetOf(...keys: string[]): Fleet {
  const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
  for (const key of keys) fleet.add(key, { nowMs: 0 })
  return fleet
}
const firstNode = (fleet: Fleet, nowMs: number) => fleet.view('now', nowMs).nodes[0]

/** Tell of a node that counts `perSec` inferences of 1000 bytes a second and sends 1 % of it up. */
function tell(
  fleet: Fleet,
  node: { key: string; perSec: number },
  when: { second: number; receivedMs?: number; atMs?: number },
) {
  const requests = node.perSec * when.second
  const frame = statusFrame({
    at: when.atMs ?? 1_000_000 + when.second * 1000,
    n: when.second + 1,
    counters: { requests, ok: requests, rawBytes: requests * 1000 },
    sentBytes: { stat: requests * 6, telemetry: requests * 4 },
  })
  fleet.apply(node.key, arrived(frame), when.receivedMs ?? when.second * 1000)
}

describe('rates', () => {
  it('are exact differences of counters over the node clock, whenever the frames arrive', () => {
    const fleet = fleetOf('n1')
    const jitter = seededRandom(7)
    for (let second = 0; second <= 20; second += 1) {
      tell(fleet, { key: 'n1', perSec: 8 }, { second, receivedMs: second * 1000 + 800 * jitter() })
    }
    const node = firstNode(fleet, 21_000)
    expect(node).toMatchObject({ inferencesPerSec: 8, rawBytesPerSec: 8000, upBytesPerSec: 80 })
    expect(node?.savedPct).toBeCloseTo(99, 10)
    const detail = fleet.nodeDetail('n1', 'now', 21_000)
    expect(detail?.upBytesPerSecByClass).toEqual({ stat: 48, telemetry: 32 })
    expect(detail?.answersPerSec).toMatchObject({ requests: 8, ok: 8, failed: 0 })
    expect(detail?.answersPerSec).not.toHaveProperty('rawBytes')
  })

  it('are not known from one frame, nor from two in one breath', () => {
    const fleet = fleetOf('n1')
    tell(fleet, { key: 'n1', perSec: 8 }, { second: 1 })
    expect(firstNode(fleet, 1000)).toMatchObject({ inferencesPerSec: null, savedPct: null })
    tell(fleet, { key: 'n1', perSec: 8 }, { second: 2, atMs: 1_001_010, receivedMs: 1010 })
    expect(firstNode(fleet, 1010)).toMatchObject({ inferencesPerSec: null })
    tell(fleet, { key: 'n1', perSec: 8 }, { second: 3 })
    expect(firstNode(fleet, 3000)).toMatchObject({ inferencesPerSec: 8 })
  })

  it('begin anew when the daemon restarted, even where a counter has already overtaken its old value', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(welcomeFrame({ instance: 'a' })), 0)
    for (let second = 0; second <= 5; second += 1) tell(fleet, { key: 'n1', perSec: 1 }, { second })
    fleet.apply('n1', arrived(welcomeFrame({ instance: 'b' })), 6000)
    tell(fleet, { key: 'n1', perSec: 1000 }, { second: 6 })
    expect(firstNode(fleet, 6000)).toMatchObject({ inferencesPerSec: null, upBytesPerSec: null })
    tell(fleet, { key: 'n1', perSec: 1000 }, { second: 7 })
    expect(firstNode(fleet, 7000)).toMatchObject({ inferencesPerSec: 1000 })
  })

  it('are never negative or absurd when counters fall or the node clock is set', () => {
    const random = seededRandom(3)
    const fleet = fleetOf('n1')
    let clockMs = 5_000_000
    let requests = 0
    for (let second = 1; second <= 400; second += 1) {
      clockMs += 1000
      requests += 10
      if (random() < 0.05) clockMs += (random() - 0.5) * 7_200_000
      if (random() < 0.05) requests = 0
      const counters = { requests, ok: requests, rawBytes: requests * 1000 }
      const frame = statusFrame({ at: Math.round(Math.max(0, clockMs)), n: second, counters })
      fleet.apply('n1', arrived(frame), second * 1000)
      const rate = firstNode(fleet, second * 1000)?.inferencesPerSec ?? 10
      expect(rate).toBeGreaterThanOrEqual(0)
      expect(rate).toBeLessThanOrEqual(50)
    }
  })

  it('show negative savings honestly and none where nothing came in', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(statusFrame({ at: 0, sentBytes: { stat: 0 } })), 0)
    fleet.apply('n1', arrived(statusFrame({ at: 1000, sentBytes: { stat: 500 } })), 1000)
    expect(firstNode(fleet, 1000)).toMatchObject({ savedPct: null, upBytesPerSec: 500 })
    fleet.apply('n1', arrived(statusFrame({ at: 2000, counters: { rawBytes: 250 }, sentBytes: { stat: 500 } })), 2000)
    expect(firstNode(fleet, 2000)).toMatchObject({ savedPct: -100 })
  })
})

describe('percentiles', () => {
  it('of the fleet are those of the union of all samples, within 2.2 %', () => {
    const random = seededRandom(11)
    const keys = ['a', 'b', 'c', 'd']
    const fleet = fleetOf(...keys)
    const union: number[] = []
    for (let second = 1; second <= 9; second += 1) {
      keys.forEach((key, index) => {
        const values = Array.from({ length: 5 + 20 * index }, () => (1 + index * 15) * (0.5 + random()))
        union.push(...values)
        fleet.apply(
          key,
          arrived(statusFrame({ at: second * 1000, n: second, latency: latencyOf(values) })),
          second * 1000,
        )
      })
    }
    union.sort((x, y) => x - y)
    const { p50Ms, p99Ms } = fleet.view('now', 9500).totals
    for (const [got, q] of [
      [p50Ms, 0.5],
      [p99Ms, 0.99],
    ] as const) {
      const exact = union[Math.ceil(q * union.length) - 1] ?? Number.NaN
      expect(Math.abs((got ?? Number.NaN) / exact - 1)).toBeLessThan(0.0222)
    }
  })

  it('of a node cover its last ten seconds and no more', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(statusFrame({ at: 1000, n: 1, latency: latencyOf([900]) })), 1000)
    fleet.apply('n1', arrived(statusFrame({ at: 10_000, n: 2, latency: latencyOf([5, 5, 5]) })), 10_000)
    expect(firstNode(fleet, 10_000)?.p99Ms).toBeCloseTo(900, -1)
    fleet.apply('n1', arrived(statusFrame({ at: 11_500, n: 3, latency: latencyOf([5]) })), 11_500)
    expect(firstNode(fleet, 11_500)?.p99Ms).toBeCloseTo(5, 0)
    expect(fleet.nodeDetail('n1', 'now', 11_500)?.stages.find((stage) => stage.stage === 'total')?.count).toBe(4)
  })
})

describe('charts', () => {
  it('conserve what was counted, keep the hole of an outage, and merge steps truly', () => {
    const fleet = fleetOf('n1')
    for (let second = 0; second <= 20; second += 1) {
      tell(fleet, { key: 'n1', perSec: 8 }, { second, receivedMs: second * 1000 + 350 })
    }
    for (let second = 50; second <= 60; second += 1) {
      tell(fleet, { key: 'n1', perSec: 8 }, { second, receivedMs: second * 1000 + 350 })
    }
    const points = fleet.series('n1', { fromMs: 2000, toMs: 60_000, stepMs: 1000 })
    expect(points.slice(0, 17).map((point) => point.inferencesPerSec)).toEqual(
      Array.from({ length: 17 }, () => expect.closeTo(8, 6)),
    )
    expect(points.slice(25, 45).every((point) => point.inferencesPerSec === null)).toBe(true)
    expect(points.at(-1)?.inferencesPerSec).toBeCloseTo(8, 6)
    const [coarse] = fleet.series(null, { fromMs: 5000, toMs: 10_000, stepMs: 5000 })
    expect(coarse).toMatchObject({ atMs: 5000, inferencesPerSec: expect.closeTo(8, 6), p50Ms: null })
  })

  it('sum the nodes of the fleet', () => {
    const fleet = fleetOf('a', 'b')
    for (let second = 0; second <= 20; second += 1) {
      tell(fleet, { key: 'a', perSec: 8 }, { second, receivedMs: second * 1000 + 120 })
      tell(fleet, { key: 'b', perSec: 4 }, { second, receivedMs: second * 1000 + 710 })
    }
    const points = fleet.series(null, { fromMs: 2000, toMs: 18_000, stepMs: 1000 })
    expect(points.every((point) => Math.abs((point.inferencesPerSec ?? 0) - 12) < 1e-6)).toBe(true)
    expect(fleet.series('nobody', { fromMs: 0, toMs: 5000, stepMs: 1000 })).toEqual([])
  })
})

describe('totals', () => {
  it('leave out what a silent node said last', () => {
    const fleet = fleetOf('a', 'b')
    for (let second = 0; second <= 5; second += 1) {
      tell(fleet, { key: 'a', perSec: 8 }, { second })
      tell(fleet, { key: 'b', perSec: 4 }, { second })
    }
    expect(fleet.view('now', 5000).totals.inferencesPerSec).toBe(12)
    for (let second = 6; second <= 12; second += 1) tell(fleet, { key: 'a', perSec: 8 }, { second })
    expect(fleet.view('now', 12_000).totals).toMatchObject({ inferencesPerSec: 8, rawBytesPerSec: 8000 })
    expect(fleetOf('a').view('now', 0).totals).toMatchObject({ inferencesPerSec: null, savedPct: null, p99Ms: null })
  })
})
