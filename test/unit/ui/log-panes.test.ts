import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { safe } from '../../../src/fleet/clean.ts'
import { readPattern } from '../../../src/fleet/log-pattern.ts'
import type { LogLine, LogRow } from '../../../src/fleet/view.ts'
import { indexAt } from '../../../src/ui/logs/choices.ts'
import { joined } from '../../../src/ui/logs/joined.ts'
import { histogramLines, stepFor } from '../../../src/ui/panes/log-histogram.ts'
import { type LogStyle, logLines, plainText, timeText } from '../../../src/ui/panes/log-lines.ts'
import { logWindow } from '../../../src/ui/panes/log-window.ts'
import { layPieces } from '../../../src/ui/panes/styled-text.ts'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { loadTheme } from '../../../src/ui/theme.ts'
import { seededRandom } from '../../support/random.ts'

const AT_MS = Date.UTC(2026, 10, 25, 10, 0, 5, 250)
const look = {
  theme: loadTheme('dark', fileURLToPath(new URL('../../../themes', import.meta.url))).theme,
  ascii: false,
}
const style: LogStyle = {
  columns: 80,
  time: 'utc',
  nowMs: AT_MS + 1000,
  nodeColumns: 0,
  wrap: false,
  search: null,
  selectedId: null,
}

function row(changes: Partial<LogLine> = {}): LogLine {
  return {
    kind: 'line',
    id: 1,
    key: 'n1',
    name: safe('n1'),
    atMs: AT_MS,
    nodeMs: AT_MS,
    seq: 1,
    late: false,
    level: 'info',
    source: safe('nginx'),
    msg: safe('GET /infer'),
    fields: {},
    cutChars: 0,
    before: [],
    ...changes,
  }
}

function textOf(line: Line | undefined): string {
  return (line ?? []).map(({ text }) => text).join('')
}

const drawn = (of: LogRow, changes: Partial<LogStyle> = {}): string[] =>
  logLines(of, { ...style, ...changes }, look).map(textOf)

describe('a log line', () => {
  test('that came late says so in words', () => {
    expect(drawn(row({ late: true }))).toEqual(['10:00:05Z INFO  late nginx: GET /infer'])
  })

  test('of another day says of which, in the zone that is shown', () => {
    expect(timeText(AT_MS, { time: 'utc', nowMs: AT_MS + 86_400_000 })).toBe('11-25 10:00:05Z')
    expect(timeText(AT_MS, { time: 'utc', nowMs: AT_MS, precise: true })).toBe('10:00:05.250Z')
    expect(timeText(AT_MS, { time: 'relative', nowMs: AT_MS + 185_000 })).toBe('  3m 5s ago')
    expect(timeText(AT_MS, { time: 'off', nowMs: AT_MS })).toBe('')
  })

  test('that is wrapped hangs behind its level, and ends when it is endless', () => {
    const lines = drawn(row({ msg: safe('ab'.repeat(100)) }), { wrap: true })
    expect(lines.slice(1).every((line) => line.startsWith(' '.repeat(16)) && !line.startsWith(' '.repeat(17)))).toBe(
      true,
    )
    expect(lines.join('').replace(/[^ab]/g, '')).toBe('ab'.repeat(100))
    const endless = drawn(row({ msg: 'x'.repeat(90_000) as LogLine['msg'] }), { wrap: true })
    expect(endless).toHaveLength(20)
    expect(endless.at(-1)).toMatch(/…$/)
  })

  test('shows the field in which something was found, though it is one of many', () => {
    const search = readPattern('needle')
    if (!search.ok) throw new Error(search.message)
    const fields = Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, safe(name === 'g' ? 'needle' : '1')]),
    )
    const [line] = logLines(row({ fields }), { ...style, search: search.pattern }, look)
    expect(textOf(line)).toContain('g=needle a=1 b=1 c=1 d=1 +2')
    const match = (line ?? []).filter(({ style }) => style === look.theme.style('match'))
    expect(match.map(({ text }) => text)).toEqual(['needle'])
  })

  test('as plain text leaves nothing out', () => {
    const whole = row({ fields: { camera: 7, note: safe('x') }, cutChars: 12 })
    expect(plainText(whole, 'utc')).toBe(
      '2026-11-25T10:00:05.250Z n1 INFO  nginx: GET /infer camera=7 note=x (12 characters were cut by the node)',
    )
  })
})

test.each([
  [{ missed: 1200, reason: 'over_quota' }, '┄┄┄ 1 200 lines of n1 did not come: too many for what'],
  [{ missed: 1, reason: 'evicted' }, '┄┄┄ 1 line of n1 did not come: the node no longer keeps them'],
  [{ missed: 300, reason: 'let_go' }, '┄┄┄ 300 lines of n1 are no longer held here'],
  [{ missed: 2, reason: 'damaged' }, '┄┄┄ 2 lines of n1 did not come: what the node keeps of them is damaged'],
  [{ missed: null, reason: 'sealed' }, '┄┄┄ lines of n1 did not come: the node has no key to what it keeps of them'],
  [{ missed: null, reason: 'new_log' }, '┄┄┄ lines of n1 did not come: the node began a new log'],
] as const)('a gap of %j tells how many lines of whom are not there, and why', (gap, told) => {
  const [line] = drawn({ kind: 'gap', id: 1, key: 'n1', name: safe('n1'), atMs: AT_MS, ...gap }, { columns: 120 })
  expect(line).toContain(told)
})

test('pieces are laid into lines that are never too wide and lose nothing but what is cut at the end', () => {
  const random = seededRandom(7)
  const letters = ['a', 'bc', '温', '🌡️', '👩‍🏭', ' ', 'é', '⠿']
  for (let turn = 0; turn < 300; turn += 1) {
    const text = Array.from(
      { length: Math.floor(random() * 60) },
      () => letters[Math.floor(random() * letters.length)],
    ).join('')
    const cut = Math.floor(random() * text.length)
    const columns = 2 + Math.floor(random() * 20)
    const pieces = [
      { text: text.slice(0, cut), token: 'text' },
      { text: text.slice(cut), token: 'muted' },
    ] as const
    const lines = layPieces(pieces, { columns, lines: 1000, ellipsis: '…' }).map((line) =>
      line.map((piece) => piece.text).join(''),
    )
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns)
    if (!/[\ud800-\udfff]/.test(text)) expect(lines.join('')).toBe(text)
  }
})

test('the window holds the row under the cursor, fills the screen where there are rows enough, and never more', () => {
  const random = seededRandom(3)
  for (let turn = 0; turn < 300; turn += 1) {
    const rows = Array.from({ length: Math.floor(random() * 40) }, (_, id) => row({ id, msg: safe(`r${id}`) }))
    const tall = rows.map(() => 1 + Math.floor(random() ** 4 * 30))
    const draw = (of: LogRow): Line[] =>
      Array.from({ length: tall[of.id] ?? 1 }, (_, line) => [
        { text: `${of.id}.${line}`, style: look.theme.style('text') },
      ])
    const height = 1 + Math.floor(random() * 25)
    const cursor = random() < 0.3 || rows.length === 0 ? null : Math.floor(random() * rows.length)
    const window = logWindow(rows, cursor, height, draw)
    const texts = window.lines.map(textOf)
    const total = tall.reduce((sum, lines) => sum + lines, 0)
    expect(texts).toHaveLength(Math.min(height, total))
    const all = rows.flatMap((of) => draw(of).map(textOf))
    const from = all.indexOf(texts[0] ?? '')
    expect(all.slice(from, from + texts.length)).toEqual(texts)
    if (cursor !== null) expect(texts).toContain(`${cursor}.0`)
    else if (rows.length > 0) expect(texts.at(-1)).toBe(all.at(-1))
  }
})

test('a row that was read and came live is there once, whatever its times, and a node keeps its order', () => {
  const read = [
    row({ id: 901, seq: 1, atMs: 100, key: 'n2' }),
    row({ id: 902, seq: 7, atMs: 105 }),
    row({ id: 903, seq: 8, atMs: 118 }),
    row({ id: 904, seq: 9, atMs: 119 }),
  ]
  const live = [row({ id: 1, seq: 8, atMs: 101 }), row({ id: 2, seq: 10, atMs: 130 })]
  const both = joined(read, live)
  expect(both.map((one) => (one.kind === 'line' ? `${one.key}:${one.seq}@${one.atMs}` : ''))).toEqual([
    'n2:1@100',
    'n1:7@101',
    'n1:8@101',
    'n1:9@119',
    'n1:10@130',
  ])
  expect(joined(read, [])).toBe(read)
  expect(joined([], live)).toBe(live)
})

test('a place is found again by its row, else by node and time, else by what is nearest before it', () => {
  const rows = [
    row({ id: 5, atMs: 10 }),
    row({ id: 9, atMs: 20, key: 'n2' }),
    row({ id: 7, atMs: 20 }),
    row({ id: 8, atMs: 30 }),
  ]
  expect(indexAt(rows, { id: 7, atMs: 20, key: 'n1' })).toBe(2)
  expect(indexAt(rows, { id: 99, atMs: 20, key: 'n1' })).toBe(2)
  expect(indexAt(rows, { id: 99, atMs: 25, key: 'n1' })).toBe(2)
  expect(indexAt(rows, { id: 99, atMs: 1, key: 'n1' })).toBe(0)
  expect(indexAt(rows, null)).toBe(3)
  expect(indexAt([], null)).toBe(-1)
})

describe('the histogram', () => {
  const bars = Array.from({ length: 10 }, (_, at) => ({
    errors: at === 4 ? 8 : at === 5 ? 1 : 0,
    warns: at === 9 ? 3 : 0,
  }))
  const view = {
    bars: {
      fromMs: AT_MS - 600_000,
      stepMs: 60_000,
      bars,
      knownFromMs: AT_MS - 480_000,
      errorsAre: 'counted',
      warnsAre: 'counted',
    },
    shown: { fromMs: AT_MS - 120_000, toMs: AT_MS },
    cursorMs: AT_MS - 300_000,
    nowMs: AT_MS,
    zone: 'utc',
  } as const

  test('tells errors apart from warnings, nothing from not known, and what is in sight', () => {
    expect(histogramLines(view, look, { columns: 60, rows: 3 }).map(textOf)).toEqual([
      ' errors   ╱╱  █▁     max 8/1m',
      ' warns    ╱╱       █ max 3/1m',
      ' 09:50:05 ─────▲──━━ now',
    ])
  })

  test('says that it is still counting, that nobody counted, or that the level leaves warnings out, and shows no bars then', () => {
    const tails = (errorsAre: 'counting' | 'not counted' | 'counted', warnsAre: 'counting' | 'left out') =>
      histogramLines({ ...view, bars: { ...view.bars, errorsAre, warnsAre } }, look, { columns: 60, rows: 3 })
        .slice(0, 2)
        .map(textOf)
    expect(tails('counting', 'counting')).toEqual([' errors   ╱╱╱╱╱╱╱╱╱╱ counting…', ' warns    ╱╱╱╱╱╱╱╱╱╱ counting…'])
    expect(tails('not counted', 'left out')[0]).toBe(' errors   ╱╱╱╱╱╱╱╱╱╱ not counted')
    expect(tails('counted', 'left out')).toEqual([' errors   ╱╱  █▁     max 8/1m', ' warns               left out'])
  })

  test('needs no character beyond ASCII', () => {
    const lines = histogramLines(view, { ...look, ascii: true }, { columns: 60, rows: 5 }).map(textOf)
    expect(lines.join('\n')).toMatch(/^[\x20-\x7e\n]*$/)
    expect(lines).toHaveLength(5)
  })

  test('has round steps, and never more bars than fit', () => {
    for (const spanMs of [60_000, 900_000, 3_600_000, 86_400_000, 604_800_000]) {
      for (const columns of [30, 57, 98, 180, 230])
        expect(spanMs / stepFor(spanMs, columns)).toBeLessThanOrEqual(columns)
    }
  })
})
