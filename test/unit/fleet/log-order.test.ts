import { describe, expect, it } from 'vitest'
import { LogIntake } from '../../../src/fleet/log-intake.ts'
import { LOG_WINDOW_MS } from '../../../src/fleet/log-merge.ts'
import type { LogLine, LogRow } from '../../../src/fleet/view.ts'
import { logRecord } from '../../support/live-frames.ts'
import { seededRandom } from '../../support/random.ts'

const START_MS = 1_000_000
/** Nodes write at times that are each one node's alone, so that there is one true order. */
const NODES = 8

interface Wish {
  readonly seed: number
  /** Longest way from a node to here, ms. */
  readonly maxDelayMs: number
  /** Whether links are cut now and then, and lines come again or much later. */
  readonly cuts: boolean
  /** How badly a node's clock is measured, ms. */
  readonly wobbleMs: number
}

interface Arrival {
  readonly atMs: number
  readonly apply: (nowMs: number) => void
}

/** Nodes write lines for ten seconds, which come here some time later. Returns the true times of lines, and what came out. */
function play({ seed, maxDelayMs, cuts, wobbleMs }: Wish) {
  const random = seededRandom(seed)
  const out: LogRow[] = []
  const onRows = (rows: readonly LogRow[]): void => void out.push(...rows)
  const intake = new LogIntake({ windowMs: LOG_WINDOW_MS, maxHeldChars: 1e9, maxKeptRows: 1e5, firstId: 1, onRows })
  const arrivals: Arrival[] = []
  const written = new Map<string, number>()
  const count = 2 + Math.floor(random() * (NODES - 2))
  for (let index = 0; index < count; index += 1) {
    const key = `n${index}`
    const offsetMs = Math.round((random() - 0.5) * 7_200_000)
    const origin = (receivedMs: number) => {
      return { key, offsetMs: offsetMs + Math.round((random() - 0.5) * 2 * wobbleMs), receivedMs }
    }
    intake.join(key, START_MS)
    // What is said in this order comes in this order, each some time later.
    let lastMs = 0
    const say = (atMs: number, apply: (nowMs: number) => void): void => {
      lastMs = Math.max(lastMs, atMs + Math.floor(random() * maxDelayMs))
      arrivals.push({ atMs: lastMs, apply })
    }
    let atMs = START_MS - 4000
    let cutUntilMs = 0
    let statusMs = START_MS
    const waiting: ReturnType<typeof logRecord>[] = []
    for (let seq = 1; ; seq += 1) {
      atMs = (Math.floor(atMs / NODES) + 1 + Math.floor((random() * (atMs < START_MS ? 2000 : 400)) / NODES)) * NODES
      if (atMs > START_MS + 10_000) break
      if (atMs >= START_MS && statusMs === START_MS) {
        const kept = waiting.splice(0)
        say(START_MS, (nowMs) => intake.addLines(origin(nowMs), kept))
      }
      const line = logRecord(seq, atMs + index + offsetMs, String(seq))
      written.set(`${key} ${seq}`, atMs + index)
      if (cuts && atMs > START_MS + 2000 && random() < 0.03) {
        say(atMs, () => intake.leave(key))
        cutUntilMs = atMs + random() * 4000
      }
      waiting.push(line)
      if (atMs < Math.max(START_MS, cutUntilMs)) continue
      const batch = waiting.splice(0)
      if (cutUntilMs > 0 && atMs - cutUntilMs < 400) {
        say(atMs, (nowMs) => intake.join(key, nowMs))
      }
      say(atMs, (nowMs) => intake.addLines(origin(nowMs), batch))
      if (cuts && random() < 0.1) say(atMs, (nowMs) => intake.addLines(origin(nowMs), batch))
      for (; statusMs < atMs; statusMs += 1000) {
        const said = { atMs: statusMs + offsetMs, epoch: 'e' }
        say(atMs, (nowMs) => intake.heard(origin(nowMs), said))
      }
    }
    const rest = waiting.splice(0)
    say(START_MS + 10_000, (nowMs) => intake.addLines(origin(nowMs), rest))
  }
  arrivals.sort((a, b) => a.atMs - b.atMs)
  for (const { atMs, apply } of arrivals) {
    // As a fleet does it: what is due meanwhile is let out in time.
    for (let dueMs = intake.dueMs; dueMs !== null && dueMs < atMs; dueMs = intake.dueMs) intake.release(dueMs)
    apply(atMs)
    intake.release(atMs)
  }
  intake.release(Number.POSITIVE_INFINITY)
  const lines = out.filter((row): row is LogLine => row.kind === 'line')
  const trueMs = (line: LogLine): number => written.get(`${line.key} ${line.seq}`) ?? Number.NaN
  return { written, lines, trueMs }
}

const seeds = Array.from({ length: 200 }, (_, index) => index + 1)

describe('lines of many nodes', () => {
  it('come in true order when none takes longer than the window, whatever their clocks say', () => {
    for (const seed of seeds) {
      const { written, lines, trueMs } = play({ seed, maxDelayMs: LOG_WINDOW_MS - 10, cuts: false, wobbleMs: 0 })
      expect(lines).toHaveLength(written.size)
      expect(lines.map(trueMs)).toEqual([...written.values()].sort((a, b) => a - b))
      expect(lines.map(({ atMs }) => atMs)).toEqual(lines.map(trueMs))
      expect(lines.filter(({ late }) => late)).toEqual([])
    }
  })

  it('are neither lost nor doubled when links are cut, and late exactly when a later one was shown before', () => {
    let late = 0
    for (const seed of seeds) {
      const { written, lines } = play({ seed, maxDelayMs: 3 * LOG_WINDOW_MS, cuts: true, wobbleMs: 0 })
      expect(lines.map(({ key, seq }) => `${key} ${seq}`).sort()).toEqual([...written.keys()].sort())
      let shownMs = Number.NEGATIVE_INFINITY
      for (const line of lines) {
        expect(line.late).toBe(line.atMs < shownMs && line.atMs > START_MS)
        shownMs = Math.max(shownMs, line.atMs)
      }
      late += lines.filter((line) => line.late).length
    }
    expect(late).toBeGreaterThan(100)
  })

  it('of one node keep its order, however badly its clock is measured', () => {
    for (const seed of seeds) {
      const { lines } = play({ seed, maxDelayMs: LOG_WINDOW_MS, cuts: false, wobbleMs: 500 })
      const bySeq = new Map<string, number>()
      for (const { key, seq } of lines) {
        expect(seq).toBeGreaterThan(bySeq.get(key) ?? 0)
        bySeq.set(key, seq)
      }
    }
  })
})

describe('a line', () => {
  const intakeOf = (rows: LogRow[]) =>
    new LogIntake({
      windowMs: LOG_WINDOW_MS,
      maxHeldChars: 4000,
      maxKeptRows: 100,
      firstId: 1,
      onRows: (given) => void rows.push(...given),
    })
  const origin = (key: string, receivedMs: number) => ({ key, offsetMs: 0, receivedMs })
  const texts = (rows: readonly LogRow[]) => rows.map((row) => (row.kind === 'line' ? row.msg : row.reason))

  it('waits for no node that is gone, and not for a node that said it has nothing', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    for (const key of ['a', 'b', 'c']) intake.join(key, 0)
    intake.addLines(origin('a', 5000), [logRecord(1, 5000, 'a1')])
    expect(rows).toEqual([])
    intake.leave('b')
    intake.heard(origin('c', 5400), { atMs: 5400, epoch: 'e' })
    expect(rows).toEqual([])
    intake.heard(origin('c', 5600), { atMs: 5600, epoch: 'e' })
    expect(texts(rows)).toEqual(['a1'])
  })

  it('stands with the one before it when its clock puts it a little earlier, and where it belongs when much', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    intake.join('a', 0)
    intake.addLines(origin('a', 90_000), [logRecord(1, 80_000, 'first'), logRecord(2, 79_500, 'a little earlier')])
    intake.addLines(origin('a', 90_000), [logRecord(3, 20_000, 'of an old file'), logRecord(4, 80_100, 'next')])
    intake.release(100_000)
    expect(rows.map((row) => [row.kind === 'line' && row.msg, row.atMs])).toEqual([
      ['first', 80_000],
      ['a little earlier', 80_000],
      ['of an old file', 20_000],
      ['next', 80_100],
    ])
    expect(rows.map((row) => row.kind === 'line' && row.late)).toEqual([false, false, true, false])
    expect(rows[1]).toMatchObject({ nodeMs: 79_500 })
  })

  it('that a node kept before we came to it is not late, however long others have been told of; what it tells late is', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    intake.join('a', 0)
    intake.join('b', 0)
    intake.addLines(origin('a', 60_000), [logRecord(1, 59_000, 'of a')])
    intake.release(62_000)
    intake.join('b', 70_000)
    intake.addLines(origin('b', 70_100), [logRecord(1, 10_000, 'old'), logRecord(2, 58_000, 'kept')])
    intake.addLines(origin('a', 80_000), [logRecord(2, 79_900, 'of a')])
    intake.release(90_000)
    intake.leave('b')
    intake.join('b', 95_000)
    intake.addLines(origin('b', 95_100), [logRecord(3, 75_000, 'while it was away')])
    intake.release(99_000)
    expect(rows.map((row) => row.kind === 'line' && [row.msg, row.late])).toEqual([
      ['of a', false],
      ['old', false],
      ['kept', false],
      ['of a', false],
      ['while it was away', true],
    ])
  })

  it('that is read back for a wider filter stands where it belongs and is not called late', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    intake.join('a', 0)
    intake.addLines(origin('a', 9000), [logRecord(5, 5000, 'error'), logRecord(9, 9000, 'error')])
    intake.addLines(origin('a', 9100), [logRecord(5, 5000, 'error'), logRecord(7, 7000, 'debug')])
    expect(rows).toHaveLength(3)
    expect(rows.at(-1)).toMatchObject({ msg: 'debug', atMs: 7000, late: false })
  })

  it('is shown before its time when too much waits, and the rest is in order all the same', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    for (const key of ['a', 'b']) intake.join(key, 0)
    for (let seq = 1; seq <= 100; seq += 1) intake.addLines(origin('a', 5000 + seq), [logRecord(seq, 5000 + seq, 'x')])
    expect(rows.length).toBeGreaterThan(50)
    intake.addLines(origin('b', 5200), [logRecord(1, 5100, 'y')])
    intake.release(9000)
    expect(rows).toHaveLength(101)
    expect(rows.filter((row) => row.kind === 'line' && row.late)).toEqual([])
  })

  it('of another log is announced: what came between is not known', () => {
    const rows: LogRow[] = []
    const intake = intakeOf(rows)
    intake.join('a', 0)
    intake.heard(origin('a', 5000), { atMs: 5000, epoch: 'e1' })
    intake.addLines(origin('a', 6000), [logRecord(70, 6000, 'old')])
    intake.heard(origin('a', 7000), { atMs: 7000, epoch: 'e2' })
    intake.addLines(origin('a', 8000), [logRecord(1, 8000, 'new')])
    intake.release(20_000)
    expect(texts(rows)).toEqual(['old', 'new_log', 'new'])
    expect(rows[1]).toMatchObject({ kind: 'gap', missed: null })
  })
})
