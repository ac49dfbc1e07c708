import { describe, expect, it } from 'vitest'
import type { AlertRecord } from '../../../protocol/records.ts'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { LogBook } from '../../../src/fleet/log-book.ts'
import { arrived, logRecord, statusFrame, welcomeFrame } from '../../support/live-frames.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

const HOSTILE = '\u001b[2J\u001b]0;x\u0007\u202e\u200b\u0000a\u0300\u0301\u0302\u0303\u0304\u0305\u0306'

function fleetOf(...keys: string[]): Fleet {
  const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
  for (const key of keys) fleet.add(key, { url: `ws://${key}/live`, nowMs: 0 })
  return fleet
}
const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => [key, ...textsOf(child)])
}
const rowsFrame = (rows: ReturnType<typeof logRecord>[]) => arrived({ t: 'rows', id: 'logs-1', topic: 'logs', rows })

describe('text from outside', () => {
  it('is safe in every view of a node whose every text is hostile', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', arrived(welcomeFrame({ name: HOSTILE, site: HOSTILE })), 0)
    const alert = { severity: 'critical', value: 1, threshold: 1, since: 1 } as const
    const frame = statusFrame({
      at: 1000,
      alerts: [{ ...alert, rule: HOSTILE, unit: HOSTILE, msg: HOSTILE }],
      conditions: [{ code: HOSTILE, severity: 'warning', msg: HOSTILE, since: 1 }],
      sentBytes: { [HOSTILE]: 1 },
      faults: { [HOSTILE]: 5 },
    })
    fleet.apply('n1', arrived(frame), 1000)
    fleet.apply('n1', { kind: 'misbehaved', code: HOSTILE, message: HOSTILE, dropped: 1 }, 1000)
    fleet.apply('n1', { kind: 'closed', reason: HOSTILE, retryInMs: 1 }, 1000)
    fleet.apply('n1', arrived({ ...frame, at: 2000, n: 2 }), 2000)
    const row = { ...logRecord(1, 900, HOSTILE), source: HOSTILE, fields: { [HOSTILE]: HOSTILE } }
    fleet.apply('n1', rowsFrame([row]), 1000)
    const shown = [fleet.view('now', 9000), fleet.nodeDetail('n1', 'now', 9000), fleet.logs({})]
    const texts = shown.flatMap(textsOf).filter((text) => text !== 'n1')
    expect(texts.filter((text) => text.includes('␛')).length).toBeGreaterThan(8)
    expect(texts.filter((text) => !isSafe(text))).toEqual([])
  })

  it('never decides who a node is: the key does, and another name is told', () => {
    const fleet = fleetOf('n1', 'n2')
    fleet.apply('n2', arrived(welcomeFrame({ name: 'n1' })), 0)
    fleet.apply('n2', arrived(statusFrame({ at: 0 })), 0)
    const [first, second] = fleet.view('now', 100).nodes
    expect(first).toMatchObject({ key: 'n1', state: 'connecting' })
    expect(second).toMatchObject({ key: 'n2', name: 'n2', saysName: 'n1', conditions: [{ code: 'name_differs' }] })
  })
})

describe('conditions', () => {
  it('show declared faults and a clock that is off', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', { kind: 'clock', rttMs: 3, offsetMs: -90_000 }, 0)
    fleet.apply('n1', arrived(statusFrame({ at: 1, faults: { slowMs: 120 } })), 0)
    const [node] = fleet.view('now', 0).nodes
    expect(node?.conditions.map(({ code, msg }) => `${code}: ${msg}`)).toEqual([
      'fault_in_force: declared fault slowMs = 120',
      'clock_offset: its clock is 90.0 s behind ours',
    ])
  })

  it('name a node that breaks the protocol, for a while', () => {
    const fleet = fleetOf('n1')
    fleet.apply('n1', { kind: 'misbehaved', code: 'FRAME_INVALID', message: 'the frame is not JSON', dropped: 1 }, 0)
    expect(fleet.view('now', 1000).nodes[0]?.conditions).toMatchObject([{ code: 'protocol_broken' }])
    expect(fleet.view('now', 400_000).nodes[0]?.conditions).toEqual([])
    expect(fleet.nodeDetail('n1', 'now', 400_000)?.link.refusedFrames).toBe(1)
  })
})

describe('log rows', () => {
  const origin = (key: string, offsetMs = 0, receivedMs = 1e9) => ({ key, offsetMs, receivedMs })

  it('of nodes with different clocks come in true order', () => {
    const book = new LogBook({ maxRows: 100 })
    book.intake.addLines(origin('ahead', 60_000), [logRecord(1, 61_000, 'b'), logRecord(2, 63_000, 'd')])
    book.intake.addLines(origin('behind', -60_000), [
      logRecord(1, -59_500 + 60_000 - 60_000, 'a'),
      logRecord(2, -58_000, 'c'),
    ])
    expect(book.query({}).map((row) => row.kind === 'line' && row.msg)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('of one node keep their own order while its offset is measured better, and none is from the future', () => {
    const book = new LogBook({ maxRows: 100 })
    book.intake.addLines(origin('n1', 0), [logRecord(1, 1000, 'a')])
    book.intake.addLines(origin('n1', 40), [logRecord(2, 1010, 'b')])
    book.intake.addLines(origin('n1', 0, 2000), [logRecord(3, 9_000_000, 'c')])
    const rows = book.query({})
    expect(rows.map((row) => row.kind === 'line' && row.msg)).toEqual(['a', 'b', 'c'])
    expect(rows.at(-1)?.atMs).toBe(2000)
  })

  it('that come again after a reconnect are kept once', () => {
    const fleet = fleetOf('n1')
    const rows = [logRecord(1, 10, 'a'), logRecord(2, 20, 'b')]
    fleet.apply('n1', rowsFrame(rows), 100)
    fleet.apply('n1', rowsFrame([...rows, logRecord(3, 30, 'c')]), 200)
    expect(fleet.logs({}).map((row) => row.kind === 'line' && row.msg)).toEqual(['a', 'b', 'c'])
  })

  it('that are still held are kept once, however long ago they came: a narrow filter reads far back', () => {
    const book = new LogBook({ maxRows: 5000 })
    const lines = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => logRecord(from + at, from + at, `line ${from + at}`))
    const seqs = () => book.query({}).flatMap((row) => (row.kind === 'line' ? [row.seq] : []))
    for (let from = 1; from < 12_000; from += 200) {
      book.intake.addLines(origin('n1'), lines(from, 200))
      book.intake.addLines(origin('n1'), lines(seqs()[0] ?? 0, 100))
      expect(new Set(seqs()).size).toBe(seqs().length)
    }
  })

  it('are bounded and found by level, text, node, time and arrival; a gap is a row of its own', () => {
    const book = new LogBook({ maxRows: 100 })
    for (let seq = 1; seq <= 500; seq += 1) {
      book.intake.addLines(origin('n1'), [logRecord(seq, seq, `line ${seq}`, seq % 2 ? 'info' : 'error')])
    }
    book.intake.addGap(origin('n1'), { missed: 42, reason: 'no_credit', toMs: 501 })
    const all = book.query({})
    expect(all.length).toBeLessThanOrEqual(126)
    expect(all.at(-1)).toMatchObject({ kind: 'gap', missed: 42 })
    expect(book.query({ minLevel: 'error', limit: 2 })).toMatchObject([{ msg: 'line 500' }, { kind: 'gap' }])
    expect(book.query({ contains: 'LINE 499' })).toMatchObject([
      { kind: 'gap', reason: 'let_go' },
      { msg: 'line 499' },
      { kind: 'gap' },
    ])
    expect(book.query({ keys: new Set(['n2']) })).toEqual([])
    expect(book.query({ asOf: 450, limit: 1 })).toMatchObject([{ msg: 'line 450' }])
    expect(book.query({ afterId: all.at(-2)?.id ?? 0 })).toMatchObject([{ kind: 'gap' }])
  })
})

describe('alert rows', () => {
  it('are kept as history without repeats', () => {
    const fleet = fleetOf('n1')
    const record: AlertRecord = {
      seq: 1,
      node_id: 'n1',
      timestamp: 1000,
      rule: 'cpu_high',
      state: 'firing',
      severity: 'warning',
      value: 91,
      threshold: 80,
      unit: '%',
      since: 900,
      msg: 'CPU',
    }
    const rows = [record, { ...record, seq: 2, timestamp: 2000, state: 'resolved' as const }]
    for (const receivedMs of [2500, 9000]) {
      fleet.apply('n1', arrived({ t: 'rows', id: 'alerts-1', topic: 'alerts', rows }), receivedMs)
    }
    expect(fleet.alertHistory('now', 9000).map((row) => row.state)).toEqual(['firing', 'resolved'])
    expect(fleet.alertHistory(1500, 9000)).toMatchObject([{ state: 'firing', sinceMs: 900 }])
  })
})
