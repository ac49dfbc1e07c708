import { describe, expect, it } from 'vitest'
import { arrange, NODE_SORTS, nextSort } from '../../../src/fleet/arrange.ts'
import { Coalescer } from '../../../src/fleet/coalescer.ts'
import { moveCursor, START_CURSOR, settleCursor } from '../../../src/fleet/cursor.ts'
import { parseFilter } from '../../../src/fleet/filter.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import type { NodeView } from '../../../src/fleet/view.ts'
import { arrived, statusFrame, welcomeFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

/** Nodes in every state at 20 s: c offline, d stale, b critical, a10 and a2 fine, e never answered. */
function nodes(): readonly NodeView[] {
  const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
  const now = 20_000
  const critical = { rule: 'x', severity: 'critical', value: 1, threshold: 1, unit: '', since: 1, msg: 'm' } as const
  const tell = (key: string, receivedMs: number, cpuPct: number, alerts = false): void => {
    fleet.add(key, { nowMs: 0 })
    fleet.apply(key, arrived(welcomeFrame({ name: key, site: key < 'b' ? 'plant-a' : '东' })), receivedMs)
    fleet.apply(key, arrived(statusFrame({ at: receivedMs, cpuPct, alerts: alerts ? [critical] : [] })), receivedMs)
  }
  tell('a10', now, 50)
  tell('a2', now, 90)
  tell('b', now, 10, true)
  tell('c', 1000, 20)
  tell('d', 10_000, 30)
  fleet.add('e', { nowMs: 15_000 })
  return fleet.view('now', now).nodes
}
const keysOf = (rows: readonly NodeView[]) => rows.map((row) => row.key)
function matching(text: string): string[] {
  const parsed = parseFilter(text)
  if (!parsed.ok) throw new Error(parsed.message)
  return keysOf(arrange(nodes(), { sort: 'name', filter: parsed.filter }))
}

describe('the order of nodes', () => {
  it('has problems first, the worst on top, equals by name with numbers as numbers', () => {
    expect(keysOf(arrange(nodes(), { sort: 'problems' }))).toEqual(['c', 'd', 'b', 'e', 'a2', 'a10'])
  })

  it('by a figure has the largest first and the unknown last, what a silent node was among it', () => {
    expect(keysOf(arrange(nodes(), { sort: 'cpu' }))).toEqual(['a2', 'a10', 'b', 'c', 'd', 'e'])
    expect(keysOf(arrange(nodes(), { sort: 'cpu', reverse: true })).slice(-1)).toEqual(['a2'])
  })

  it('loses no node in any order, and the sort key goes round', () => {
    for (const sort of NODE_SORTS) expect(keysOf(arrange(nodes(), { sort })).sort()).toEqual(keysOf(nodes()).toSorted())
    expect(NODE_SORTS.reduce(nextSort, NODE_SORTS[0])).toBe(NODE_SORTS[0])
  })
})

describe('a filter', () => {
  it('finds by part of a name or site, by field, by figure, negated, and all together', () => {
    expect(matching('')).toHaveLength(6)
    expect(matching('A1')).toEqual(['a10'])
    expect(matching('东')).toEqual(['b', 'c', 'd'])
    expect(matching('state:stale')).toEqual(['d'])
    expect(matching('site:plant cpu>80')).toEqual(['a2'])
    expect(matching('cpu<=20%')).toEqual(['b'])
    expect(matching('!state:up !cpu>0')).toEqual(['c', 'd', 'e'])
    expect(matching('alerts>0')).toEqual(['b'])
    expect(matching('age>5s')).toEqual(['c', 'd'])
  })

  it('says what is wrong and what to write', () => {
    expect(parseFilter('cpu>')).toEqual({ ok: false, message: 'cpu> wants a number, such as cpu>80' })
    expect(parseFilter('colour:red')).toMatchObject({ ok: false, message: expect.stringContaining('use name, site') })
    expect(parseFilter('constructor>1')).toMatchObject({ ok: false })
    expect(parseFilter('toString:x')).toMatchObject({ ok: false })
  })
})

describe('the cursor', () => {
  const rows = (...keys: string[]) => keys.map((key) => ({ key }))

  it('stays on its node while rows move', () => {
    const cursor = moveCursor(settleCursor(START_CURSOR, rows('a', 'b', 'c')), rows('a', 'b', 'c'), 1)
    expect(cursor).toEqual({ key: 'b', row: 1 })
    expect(settleCursor(cursor, rows('c', 'x', 'y', 'b'))).toEqual({ key: 'b', row: 3 })
    expect(moveCursor(cursor, rows('c', 'x', 'y', 'b'), -1)).toEqual({ key: 'y', row: 2 })
  })

  it('goes to what took the row of a node that left, and survives an empty table', () => {
    expect(settleCursor({ key: 'gone', row: 2 }, rows('a', 'b', 'c'))).toEqual({ key: 'c', row: 2 })
    expect(settleCursor({ key: 'gone', row: 9 }, rows('a'))).toEqual({ key: 'a', row: 0 })
    expect(settleCursor({ key: 'gone', row: 3 }, [])).toEqual({ key: null, row: 0 })
    expect(moveCursor({ key: null, row: 0 }, [], 5)).toEqual({ key: null, row: 0 })
    expect(moveCursor({ key: 'a', row: 0 }, rows('a', 'b'), 99)).toEqual({ key: 'b', row: 1 })
  })
})

describe('telling of changes', () => {
  it('happens at most ten times a second under a flood, at least once a second without any, never unheard', () => {
    const clock = new ManualSchedule()
    const coalescer = new Coalescer(clock.schedule, { minGapMs: 100, maxGapMs: 1000 })
    let calls = 0
    for (let i = 0; i < 50; i += 1) coalescer.touch()
    expect(clock.waiting).toBe(0)
    const stop = coalescer.subscribe(() => {
      calls += 1
    })
    for (let i = 0; i < 1000; i += 1) {
      coalescer.touch()
      clock.advance(1)
    }
    expect(calls).toBeGreaterThanOrEqual(9)
    expect(calls).toBeLessThanOrEqual(10)
    calls = 0
    clock.advance(5000)
    expect(calls).toBeGreaterThanOrEqual(4)
    expect(calls).toBeLessThanOrEqual(6)
    clock.advance(500)
    calls = 0
    coalescer.touch()
    expect(calls).toBe(1)
    stop()
    expect(clock.waiting).toBe(0)
    coalescer.touch()
    expect(calls).toBe(1)
  })
})
