import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { shed } from '../../../src/fleet/fair-share.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { DEFAULT_INFLOW } from '../../../src/link/inflow-bound.ts'
import { arrived, logRecord, statusFrame, welcomeFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heldBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

function fleetOf(...keys: string[]): Fleet {
  const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
  for (const key of keys) {
    fleet.add(key, { nowMs: 0 })
    fleet.apply(key, arrived(welcomeFrame({ name: key })), 0)
  }
  return fleet
}

function rows(count: number, at: number, msg: string) {
  const lines = Array.from({ length: count }, (_, index) => logRecord(at * 1000 + index + 1, at, msg))
  return arrived({ t: 'rows', id: 'logs', topic: 'logs', rows: lines })
}

describe('a node that says as much as it can', () => {
  it('is held in some megabytes, whatever it says', () => {
    const fleet = fleetOf('mad')
    const before = heldBytes()
    const buckets = Array.from({ length: 500 }, (_, index): [number, number] => [index - 155, Number.MAX_SAFE_INTEGER])
    const latency = { count: Number.MAX_SAFE_INTEGER, sumMs: 1e300, maxMs: 1e300, buckets }
    for (let step = 0; step < 1000; step += 1) {
      const at = 1000 + step * 600
      const text = `${step} ${'x'.repeat(3000)}`
      const conditions = Array.from({ length: 64 }, (_, index) => ({
        code: `c${step}-${index}`,
        severity: 'critical' as const,
        msg: text + index,
        since: at,
      }))
      fleet.apply('mad', arrived(statusFrame({ at, n: step, conditions, latency })), at)
      fleet.apply('mad', rows(20, at, text), at)
    }
    expect((heldBytes() - before) / 1e6).toBeLessThan(60)
    expect(fleet.view('now', 601_000).nodes[0]?.state).toBe('up')
  })

  it('pushes out its own old lines and alerts, not those of others', () => {
    const fleet = fleetOf('mad', 'calm')
    fleet.apply('calm', rows(100, 1000, 'a calm line'), 1000)
    const alert = {
      seq: 1,
      node_id: 'calm',
      timestamp: 1000,
      rule: 'cpu_high',
      state: 'firing',
      severity: 'warning',
    } as const
    const more = { value: 1, threshold: 1, unit: '%', since: 1000, msg: 'calm' }
    fleet.apply('calm', arrived({ t: 'rows', id: 'a', topic: 'alerts', rows: [{ ...alert, ...more }] }), 1000)
    for (let step = 0; step < 30; step += 1) {
      const at = 2000 + step
      fleet.apply('mad', rows(1000, at, 'noise'), at)
      const alerts = Array.from({ length: 200 }, (_, index) => ({
        ...alert,
        ...more,
        timestamp: at,
        rule: `r${step}-${index}`,
      }))
      fleet.apply('mad', arrived({ t: 'rows', id: 'a', topic: 'alerts', rows: alerts }), at)
    }
    expect(fleet.logs({ keys: new Set(['calm']) })).toHaveLength(100)
    expect(fleet.logs({}).length).toBeLessThanOrEqual(6251)
    expect(fleet.alertHistory('now', 3000, 5000, 'calm')).toHaveLength(1)
    expect(fleet.alertHistory('now', 3000, 5000).length).toBeLessThanOrEqual(1000)
  })

  it('costs no more by sending lines in the worst order: what it may send in a second is taken in a part of it', () => {
    const fleet = fleetOf('mad')
    fleet.apply('mad', rows(1000, 1_000_000, 'newest'), 2_000_000)
    const frames = Math.floor(DEFAULT_INFLOW.bytesPerSec / (1000 * 110))
    const before = process.cpuUsage()
    for (let step = 0; step < frames; step += 1) fleet.apply('mad', rows(1000, 900_000 - step, 'older'), 2_000_000)
    // Of its processor time, not of the clock: others may hold the machine.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000)
    const times = fleet.logs({}).map(({ atMs }) => atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it('does not hold the console with a window of years, in a sample or in a statistic', () => {
    const fleet = fleetOf('mad', 'calm')
    const { t: _t, id: _id, n: _n, at: _at, session: _session, ...status } = statusFrame({ at: 1 })
    const record = {
      seq: 1,
      node_id: 'mad',
      timestamp: 1000,
      instance: 'i',
      window_ms: Number.MAX_SAFE_INTEGER,
      status,
    }
    fleet.apply('mad', { kind: 'sample', record }, 1000)
    const latency = { count: 1, sumMs: 5, maxMs: 5, buckets: [[38, 1]] as [number, number][] }
    const stat = { seq: 1, node_id: 'mad', timestamp: 1, first_seq: 1, last_seq: 1, count: 1, ok: 1, success_rate: 1 }
    const figures = { over_rate: {}, mean_ms: 5, p50_ms: 5, p99_ms: 5, latency }
    const years = { from: -Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER }
    fleet.apply('mad', { kind: 'stat', record: { ...stat, ...figures, ...years } }, 1000)
    // A future that it made up must not stand in the place of what the others tell later.
    fleet.apply('calm', arrived(statusFrame({ at: 5000, latency })), 5000)
    expect(fleet.latencyAt(null, 5000).count).toBeGreaterThan(0)
    expect(fleet.latencyAt('calm', 5000).count).toBe(1)
  })

  it('is called what it does on its row, for five minutes', () => {
    const fleet = fleetOf('mad')
    const flood = { kind: 'misbehaved', code: 'FRAME_RATE', message: 'it floods: 600 frames', dropped: 1 } as const
    fleet.apply('mad', flood, 1000)
    fleet.apply('mad', flood, 2000)
    const [row] = fleet.view('now', 3000).nodes
    expect(row?.misbehaves).toBe('floods')
    expect(row?.conditions).toMatchObject([{ code: 'node_floods', msg: expect.stringContaining('cut 2 times') }])
    expect(fleet.nodeDetail('mad', 'now', 3000)?.link.floods).toBe(2)
    expect(fleet.view('now', 303_000).nodes[0]?.misbehaves).toBe(null)
  })

  it('has its texts cut to what a person can read, and its log lines kept whole in bounded room', () => {
    const fleet = fleetOf('mad')
    fleet.apply('mad', { kind: 'refused', reason: 'y'.repeat(60_000), retryInMs: null }, 1000)
    expect(fleet.nodeDetail('mad', 'now', 1000)?.link.lastReason?.length).toBe(4097)
    for (let at = 1000; at < 1200; at += 1) fleet.apply('mad', rows(1, at, 'y'.repeat(60_000)), at)
    const lines = fleet.logs({}).flatMap((row) => (row.kind === 'line' ? row.msg.length : []))
    expect(new Set(lines)).toEqual(new Set([60_000]))
    expect(lines.length).toBeLessThan(100)
  })
})

it.each([
  [[], 10, []],
  ['aaabbb', 6, 'aaabbb'],
  ['aaaaaab', 4, 'aaab'],
  ['abababab', 4, 'abab'],
  ['aaaabbbbc', 5, 'aabbc'],
  ['aaaa', 0, ''],
])('sheds %j to %j fairly', (all, limit, rest) => {
  const held = [...all]
  const gone = shed(held, { keyOf: (row) => row, weightOf: () => 1, limit })
  expect(held.join('')).toBe([...rest].join(''))
  expect(gone.length + held.length).toBe(all.length)
})
