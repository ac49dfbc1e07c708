import { describe, expect, it } from 'vitest'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { nodeState, offlineAfterMs, staleAfterMs } from '../../../src/fleet/node-state.ts'
import { arrived, statusFrame, welcomeFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

function fleetOf(...keys: string[]): Fleet {
  const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
  for (const key of keys) fleet.add(key, { url: `ws://${key}/live`, nowMs: 0 })
  return fleet
}
const nodeAt = (fleet: Fleet, nowMs: number, key = 'n1') =>
  fleet.view('now', nowMs).nodes.find((node) => node.key === key)

describe('the state of a node', () => {
  it('is connecting with the reason until it answers, then offline when it never does', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', { kind: 'connecting', attempt: 1 }, 10)
    expect(nodeAt(fleet, 20)).toMatchObject({ state: 'connecting', reason: 'connecting', ageMs: null })
    fleet.apply('n1', { kind: 'refused', reason: 'connection refused', retryInMs: 200 }, 30)
    expect(nodeAt(fleet, 14_999)).toMatchObject({ state: 'connecting', reason: 'connection refused' })
    expect(nodeAt(fleet, 15_000)).toMatchObject({ state: 'offline', reason: 'never answered: connection refused' })
  })

  it('is an alert with its reason from the first refusal on, not only when the node counts as offline', () => {
    const fleet = fleetOf('n1')
    expect(fleet.view('now', 10).alerts).toEqual([])
    fleet.apply('n1', { kind: 'refused', reason: 'connection refused', retryInMs: 200 }, 30)
    const told = { rule: 'node_unreached', severity: 'warning', msg: 'connection refused', sinceMs: 0 }
    expect(fleet.view('now', 1000).alerts).toMatchObject([told])
    expect(fleet.view('now', 15_000).alerts).toMatchObject([{ rule: 'node_offline', severity: 'critical', sinceMs: 0 }])
    fleet.apply('n1', { kind: 'opened' }, 16_000)
    fleet.apply('n1', arrived(welcomeFrame()), 16_000)
    expect(fleet.view('now', 16_100).alerts).toEqual([])
  })

  it('goes from up over stale to offline by silence, its age counts up, and it comes back by itself', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(welcomeFrame()), 1000)
    expect(nodeAt(fleet, 1000)).toMatchObject({ state: 'up', ageMs: null, cpuPct: null })
    fleet.apply('n1', arrived(statusFrame({ at: 1000 })), 1000)
    expect(nodeAt(fleet, 4000)).toMatchObject({ state: 'up', ageMs: 3000, reason: null })
    expect(nodeAt(fleet, 4100)).toMatchObject({ state: 'stale', ageMs: 3100, cpuPct: 10 })
    expect(nodeAt(fleet, 15_900)?.state).toBe('stale')
    expect(nodeAt(fleet, 16_000)).toMatchObject({ state: 'offline', ageMs: 15_000 })
    fleet.apply('n1', arrived(statusFrame({ at: 20_000, n: 2 })), 20_000)
    expect(nodeAt(fleet, 20_100)).toMatchObject({ state: 'up', ageMs: 100, reason: null })
  })

  it('follows the interval that a status announces, so that a node that tells rarely is not stale in between', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(welcomeFrame()), 1000)
    fleet.apply('n1', arrived({ ...statusFrame({ at: 1000 }), everyMs: 10_000 }), 1000)
    expect(nodeAt(fleet, 30_900)?.state).toBe('up')
    expect(nodeAt(fleet, 31_100)?.state).toBe('stale')
    fleet.apply('n1', arrived({ ...statusFrame({ at: 32_000, n: 2 }), everyMs: 1000 }), 32_000)
    expect(nodeAt(fleet, 35_100)?.state).toBe('stale')
  })

  it('does not blink when a connection closes and is made again at once', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(statusFrame({ at: 1000 })), 1000)
    fleet.apply('n1', { kind: 'closed', reason: 'the connection was lost', retryInMs: 200 }, 1500)
    expect(nodeAt(fleet, 2500)).toMatchObject({ state: 'up' })
    expect(nodeAt(fleet, 5000)).toMatchObject({
      state: 'stale',
      reason: 'no answer for 4 s: the connection was lost',
    })
  })

  it('gives slow announcers and slow links more time, and stale always comes before offline', () => {
    expect(staleAfterMs({ intervalMs: 1000, rttMs: 5 })).toBe(3000)
    expect(staleAfterMs({ intervalMs: 10_000, rttMs: 5 })).toBe(30_000)
    expect(staleAfterMs({ intervalMs: 1000, rttMs: 2000 })).toBe(13_000)
    for (const intervalMs of [100, 1000, 5000, 60_000]) {
      const slow = { intervalMs, rttMs: null }
      expect(offlineAfterMs(slow)).toBeGreaterThan(staleAfterMs(slow))
      expect(nodeState({ ...slow, lastDataMs: 0, sinceMs: 0 }, staleAfterMs(slow) + 1)).toBe('stale')
    }
  })

  it('raises an alert of the fleet for a silent node and takes it back', () => {
    const fleet = fleetOf('n1', 'n2')
    for (const key of ['n1', 'n2']) fleet.apply(key, arrived(statusFrame({ at: 0 })), 0)
    fleet.apply('n2', arrived(statusFrame({ at: 16_000, n: 2 })), 16_000)
    const { alerts, totals } = fleet.view('now', 16_000)
    expect(alerts).toMatchObject([{ key: 'n1', rule: 'node_offline', severity: 'critical', sinceMs: 0, value: 16 }])
    expect(totals.byState).toEqual({ connecting: 0, up: 1, stale: 0, offline: 1, unknown: 0 })
    fleet.apply('n1', arrived(statusFrame({ at: 16_500, n: 2 })), 16_500)
    expect(fleet.view('now', 16_500).alerts).toEqual([])
  })
})

describe('a view as of a past time', () => {
  it('shows the figures, the state and the alerts of that time', () => {
    const fleet = fleetOf('n1')
    const alert = {
      rule: 'cpu_high',
      severity: 'warning',
      value: 91,
      threshold: 80,
      unit: '%',
      since: 5000,
      msg: 'CPU 91 %',
    } as const
    for (let second = 1; second <= 60; second += 1) {
      if (second > 20 && second < 40) continue
      const alerts = second < 10 ? [alert] : []
      fleet.apply('n1', arrived(statusFrame({ at: second * 1000, n: second, cpuPct: second, alerts })), second * 1000)
    }
    expect(fleet.view(8500, 60_000)).toMatchObject({ live: false, asOfMs: 8500 })
    expect(fleet.view(8500, 60_000).nodes[0]).toMatchObject({ state: 'up', cpuPct: 8, ageMs: 500 })
    expect(fleet.view(8500, 60_000).alerts).toMatchObject([{ rule: 'cpu_high' }])
    expect(fleet.view(15_000, 60_000).alerts).toEqual([])
    expect(fleet.view(30_000, 60_000).nodes[0]).toMatchObject({ state: 'stale', cpuPct: 20, ageMs: 10_000 })
    expect(fleet.view(39_000, 60_000).nodes[0]).toMatchObject({ state: 'offline', cpuPct: 20 })
    expect(fleet.nodeDetail('n1', 8500, 60_000)?.status?.alerts).toHaveLength(1)
    expect(fleet.view('now', 60_000).nodes[0]).toMatchObject({ state: 'up', cpuPct: 60 })
  })

  it('forgets what is older than its history', () => {
    const fleet = new Fleet({ schedule: new ManualSchedule().schedule, historySec: 10 })
    fleet.add('n1', { nowMs: 0 })
    for (let second = 1; second <= 30; second += 1) {
      fleet.apply('n1', arrived(statusFrame({ at: second * 1000, n: second, cpuPct: second })), second * 1000)
    }
    expect(fleet.view(5000, 30_000).nodes[0]).toMatchObject({ cpuPct: null })
    expect(fleet.view(25_000, 30_000).nodes[0]).toMatchObject({ cpuPct: 25 })
  })
})

describe('a view of now', () => {
  it('is the same object until something changes or a tick passes', () => {
    const fleet = fleetOf('n1')
    const first = fleet.view('now', 1000)
    expect(fleet.view('now', 1050)).toBe(first)
    expect(fleet.view('now', 1100)).not.toBe(first)
    const second = fleet.view('now', 1100)
    fleet.apply('n1', arrived(statusFrame({ at: 1100 })), 1100)
    expect(fleet.view('now', 1100)).not.toBe(second)
  })

  it('ignores events of a node that is not in the inventory', () => {
    const fleet = fleetOf('n1')
    fleet.apply('stranger', arrived(statusFrame({ at: 1 })), 1)
    expect(fleet.keys()).toEqual(['n1'])
    fleet.remove('n1')
    expect(fleet.view('now', 5).nodes).toEqual([])
    expect(fleet.nodeDetail('n1', 'now', 5)).toBeNull()
  })
})
