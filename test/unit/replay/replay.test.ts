import { afterEach, describe, expect, test } from 'vitest'
import { Fleet } from '../../../src/fleet/fleet.ts'
import type { HistorySource } from '../../../src/link/history-source.ts'
import { Replay, type ReplayLook } from '../../../src/replay/replay.ts'
import { alertRecord, KeptNode, resultRecord, settled } from '../../support/kept-node.ts'
import { statusFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

/** A whole minute, so that the numbers in the tests are easy. */
const NOW = 1_793_000_040_000
const MIN = 60_000

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A console that was opened ten seconds ago over one node, with these to ask for its past. */
function openedJustNow(...sources: HistorySource[]) {
  const clock = new ManualSchedule()
  clock.nowMs = NOW - 10_000
  const live = new Fleet({ schedule: clock.schedule })
  live.add('n1', { nowMs: NOW - 10_000 })
  for (let at = NOW - 9000; at <= NOW; at += 1000) {
    const frame = statusFrame({ at, n: at / 1000, cpuPct: 99 })
    live.apply('n1', { kind: 'frame', frame, sizeBytes: 100 }, at)
  }
  clock.nowMs = NOW
  const replay = new Replay({ live, sources, schedule: clock.schedule, now: () => clock.nowMs })
  stops.push(() => replay.stop())
  const look = async (headMs: number, more: Partial<ReplayLook> = {}): Promise<void> => {
    replay.look({ headMs, rate: 0, focus: ['n1'], spanMs: 5 * MIN, ...more })
    for (let turn = 0; turn < 60; turn += 1) {
      await settled()
      clock.advance(5)
    }
  }
  const nodeAt = (atMs: number) => replay.fleet.view(atMs, clock.nowMs).nodes[0]
  return { clock, live, replay, look, nodeAt }
}

describe('the past of a node', () => {
  test('is what this console saw, and before that what the node kept', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 1000)
    const { look, nodeAt } = openedJustNow(node)
    await look(NOW - 4 * MIN + 17_000)
    expect(nodeAt(NOW - 4 * MIN + 17_000)).toMatchObject({ state: 'up', cpuPct: 17, inferencesPerSec: 10 })
    await look(NOW - 3000)
    expect(nodeAt(NOW - 3000)).toMatchObject({ state: 'up', cpuPct: 99 })
  })

  test('shows charts, stages, logs, alerts and results of that time', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 1000)
    const head = NOW - 4 * MIN
    node.keepLog(head - 2000, 'just before').keepLog(head + 2000, 'just after')
    node.kept.alerts.push(alertRecord(1, head - 30_000))
    node.kept.results.push(resultRecord(1, head - 1000), resultRecord(2, head - 500, { reason: 'low_confidence' }))
    const { look, replay, clock } = openedJustNow(node)
    await look(head)
    const detail = replay.fleet.nodeDetail('n1', head, clock.nowMs)
    expect(detail?.stages.find(({ stage }) => stage === 'total')?.count).toBe(100)
    const points = replay.fleet.series('n1', { fromMs: head - 5 * MIN, toMs: head, stepMs: 2000 })
    expect(points.filter(({ inferencesPerSec }) => inferencesPerSec === 10)).toHaveLength(points.length)
    expect(points.every(({ p99Ms }) => p99Ms !== null && p99Ms > 15)).toBe(true)
    expect(replay.fleet.logs({ asOf: head }).map((row) => row.kind === 'line' && row.msg)).toEqual(['just before'])
    expect(replay.fleet.alertHistory(head, clock.nowMs)).toMatchObject([{ rule: 'cpu_high' }])
    const abnormal = replay.fleet.results({ key: 'n1', toMs: head, abnormalOnly: true })
    expect(abnormal).toMatchObject([{ seq: 2, reason: 'low_confidence', atMs: head - 500 }])
  })

  test('is the mean of each minute where no seconds are kept, for every second of it', async () => {
    const node = new KeptNode().keepMinutes(NOW - 120 * MIN, NOW - 5 * MIN)
    const { look, nodeAt, replay, clock } = openedJustNow(node)
    const head = NOW - 60 * MIN + 30_000
    await look(head)
    expect(nodeAt(head)).toMatchObject({ state: 'up', inferencesPerSec: 10 })
    expect(replay.fleet.nodeDetail('n1', head, clock.nowMs)?.status?.inference.counters.requests).toBeGreaterThan(0)
    const points = replay.fleet.series('n1', { fromMs: head - 4 * MIN, toMs: head, stepMs: 2000 })
    expect(points.every(({ inferencesPerSec }) => Math.abs((inferencesPerSec ?? 0) - 10) < 0.01)).toBe(true)
    expect(points.every(({ p99Ms }) => p99Ms !== null)).toBe(true)
  })

  test('keeps its holes: nothing is made up between two records', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 6 * MIN).keepSeconds(NOW - 5 * MIN, NOW - 1000)
    const { look, nodeAt, replay } = openedJustNow(node)
    const head = NOW - 5.5 * MIN
    await look(head)
    expect(nodeAt(head)).toMatchObject({ state: 'unknown', cpuPct: null, reason: 'no data kept of this time' })
    const points = replay.fleet.series('n1', { fromMs: NOW - 6 * MIN + 2000, toMs: NOW - 5 * MIN, stepMs: 2000 })
    expect(points.every((point) => point.p99Ms === null && point.inferencesPerSec === null)).toBe(true)
  })

  test('is corrected by the clock of the node', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN + 90_000, NOW + 90_000)
    const { live, look, nodeAt } = openedJustNow(node)
    live.apply('n1', { kind: 'clock', rttMs: 1, offsetMs: 90_000 }, NOW)
    await look(NOW - 4 * MIN)
    // At this time the node's clock said half a minute more than a whole minute.
    expect(nodeAt(NOW - 4 * MIN)).toMatchObject({ cpuPct: 30 })
  })

  test('says that it is on its way, and what could not be had', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 1000)
    node.hold()
    const { look, nodeAt, clock } = openedJustNow(node)
    await look(NOW - 4 * MIN)
    expect(nodeAt(NOW - 4 * MIN)).toMatchObject({ state: 'unknown', reason: 'loading what is kept of this time' })
    await node.release()
    await look(NOW - 4 * MIN)
    expect(nodeAt(NOW - 4 * MIN)?.state).toBe('up')

    const away = new KeptNode()
    away.unreachable = 'the node is not connected'
    const other = openedJustNow(away)
    await other.look(NOW - 4 * MIN)
    expect(other.nodeAt(NOW - 4 * MIN)).toMatchObject({ state: 'unknown', reason: 'no data kept of this time' })
    away.unreachable = null
    away.keepSeconds(NOW - 20 * MIN, NOW - 1000)
    other.clock.nowMs += 11_000
    await other.look(NOW - 4 * MIN)
    expect(other.nodeAt(NOW - 4 * MIN)?.state).toBe('up')
    expect(clock.nowMs).toBeLessThan(other.clock.nowMs)
  })

  test('tells of rows that were too many to take', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 4.5 * MIN)
    node.truncates = true
    const { look, replay } = openedJustNow(node)
    await look(NOW - 4 * MIN)
    const { gaps } = replay.reach('n1', NOW - 20 * MIN, NOW)
    expect(gaps.some(({ fromMs }) => fromMs === NOW - 4.5 * MIN - 1000)).toBe(true)
  })

  test('comes from the cloud when the node is dead', async () => {
    const node = new KeptNode()
    node.unreachable = 'the node is not connected'
    const cloud = new KeptNode('cloud').keepLog(NOW - 4 * MIN, 'told by the cloud')
    cloud.kept.alerts.push(alertRecord(1, NOW - 4 * MIN + 500))
    const { look, replay } = openedJustNow(node, cloud)
    await look(NOW - 4 * MIN + 1000)
    const rows = replay.fleet.logs({ asOf: NOW - 4 * MIN + 1000 })
    expect(rows).toMatchObject([{ msg: 'told by the cloud' }])
    const alerts = replay.fleet.view(NOW - 4 * MIN + 1000, NOW).alerts
    expect(alerts).toMatchObject([{ rule: 'cpu_high', state: 'firing' }])
    const { kept } = replay.reach('n1', NOW - 5 * MIN, NOW)
    expect(kept.find(({ state }) => state === 'events')).toMatchObject({ source: 'cloud', fromMs: NOW - 4 * MIN })
  })
})

describe('loading', () => {
  test('reads each minute once, and only around the head', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 1000)
    const { look } = openedJustNow(node)
    await look(NOW - 10 * MIN)
    const state = node.asked.filter(({ range }) => range.kinds.includes('status'))
    const asked = state.reduce((sum, { range }) => sum + range.toMs - range.fromMs + 1, 0)
    expect(asked).toBeLessThanOrEqual(15 * MIN)
    expect(Math.max(...state.map(({ range }) => range.toMs))).toBeLessThanOrEqual(NOW - 8 * MIN)
    const before = node.asked.length
    await look(NOW - 10 * MIN - 10_000)
    await look(NOW - 11 * MIN)
    expect(node.asked.filter(({ range }) => range.kinds.includes('status'))).toHaveLength(state.length)
    expect(node.asked.length - before).toBeLessThanOrEqual(2)
  })

  test('goes ahead of the head while it plays, and the head waits for what is late', async () => {
    const node = new KeptNode().keepSeconds(NOW - 60 * MIN, NOW - 1000)
    const { look, replay } = openedJustNow(node)
    await look(NOW - 50 * MIN)
    const ahead = replay.playableMs()
    expect(ahead).toBe(Number.POSITIVE_INFINITY)
    node.hold()
    await look(NOW - 50 * MIN, { rate: 60 })
    expect(replay.playableMs()).toBeLessThan(NOW - 45 * MIN)
    await node.release()
    await look(NOW - 50 * MIN, { rate: 60 })
    expect(replay.playableMs()).toBe(Number.POSITIVE_INFINITY)
  })

  test('stops when nobody looks back any more', async () => {
    const node = new KeptNode().keepSeconds(NOW - 60 * MIN, NOW - 1000)
    node.hold()
    const { replay, look } = openedJustNow(node)
    await look(NOW - 50 * MIN)
    const asked = node.asked.length
    replay.look(null)
    await node.release()
    expect(node.asked).toHaveLength(asked)
    expect(replay.fleet.view('now', NOW).nodes[0]).toMatchObject({ state: 'up', cpuPct: 99 })
  })

  test('of many nodes is bounded', async () => {
    const node = new KeptNode().keepSeconds(NOW - 20 * MIN, NOW - 1000)
    const { live, look, replay } = openedJustNow(node)
    for (let i = 2; i <= 300; i += 1) live.add(`n${i}`, { nowMs: NOW })
    await look(NOW - 4 * MIN, { focus: [] })
    expect(new Set(node.asked.map(({ node: key }) => key)).size).toBeLessThanOrEqual(24)
    expect(replay.fleet.view(NOW - 4 * MIN, NOW).nodes).toHaveLength(300)
  })
})
