import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { loadTheme } from '../../../src/ui/theme.ts'
import { headerLine, placeColumns, rowLine, type TableColumn } from '../../../src/ui/widgets/table.ts'

interface Row {
  readonly name: string
  readonly site: string
  readonly rate: number
  readonly model: string
}

const { theme } = loadTheme('dark', fileURLToPath(new URL('../../../themes', import.meta.url)))
const textOf = (line: Line): string => line.map(({ text }) => text).join('')
const COLUMNS: readonly TableColumn<Row>[] = [
  { id: 'name', title: 'NODE', rank: 0, minColumns: 8, idealColumns: 30, cell: ({ name }) => ({ text: name }) },
  { id: 'site', title: 'SITE', rank: 4, minColumns: 10, idealColumns: 20, cell: ({ site }) => ({ text: site }) },
  {
    id: 'rate',
    title: 'INF/S',
    rank: 1,
    minColumns: 6,
    align: 'right',
    cell: ({ rate }) => ({ text: rate.toFixed(1) }),
  },
  { id: 'p99', title: 'P99', rank: 2, minColumns: 7, align: 'right', cell: () => ({ text: '48 ms', token: 'ok' }) },
  { id: 'model', title: 'MODEL', rank: 5, minColumns: 22, idealColumns: 40, cell: ({ model }) => ({ text: model }) },
  { id: 'age', title: 'AGE', rank: 3, minColumns: 5, align: 'right', cell: () => ({ text: '1s' }) },
]
const ROW: Row = {
  name: '上海-gateway-节点-0001-with-a-long-name',
  site: 'plant-a',
  rate: 123.4,
  model: 'digits@2026.11.1 (fp32)',
}
const look = (columns: number) => ({ theme, ascii: false, columns })

describe('table', () => {
  it('shows each column whole or not at all, at every width from 60 to 250', () => {
    for (let columns = 60; columns <= 250; columns += 1) {
      const placed = placeColumns(COLUMNS, columns)
      for (const { column, columns: given } of placed) {
        expect(given).toBeGreaterThanOrEqual(Math.max(column.minColumns, column.title.length))
      }
      for (const line of [headerLine(placed, look(columns)), rowLine(placed, ROW, look(columns))]) {
        expect(widthOf(textOf(line))).toBe(columns)
      }
      const header = textOf(headerLine(placed, look(columns)))
      for (const { column } of placed) expect(header).toContain(column.title)
    }
  })

  it('hides the least important column first as it gets narrow, and keeps the order of the others', () => {
    const shown = (columns: number) => placeColumns(COLUMNS, columns).map(({ column }) => column.id)
    expect(shown(250)).toEqual(['name', 'site', 'rate', 'p99', 'model', 'age'])
    const hidden: string[] = []
    let before = shown(250)
    for (let columns = 249; columns >= 10; columns -= 1) {
      const now = shown(columns)
      hidden.push(...before.filter((id) => !now.includes(id)))
      before = now
    }
    expect(hidden).toEqual(['model', 'site', 'age', 'p99', 'rate'])
    expect(before).toEqual(['name'])
  })

  it('gives what is left over to the more important columns first', () => {
    const [name, site] = placeColumns(COLUMNS, 90)
    expect(name?.columns).toBe(30)
    expect(site?.columns).toBeLessThan(20)
  })

  it('cuts a long name with an ellipsis and never within a wide character', () => {
    const placed = placeColumns(COLUMNS.slice(0, 1), 14)
    expect(textOf(rowLine(placed, ROW, look(14)))).toBe('  上海-gatewa…')
  })

  it('aligns numbers to the right and never shows one with digits missing', () => {
    const placed = placeColumns(COLUMNS.slice(2, 3), 8)
    expect(textOf(rowLine(placed, ROW, look(8)))).toBe('   123.4')
    expect(textOf(rowLine(placed, { ...ROW, rate: 1_234_567 }, look(8)))).toBe('  ######')
  })

  it('marks the selected and the marked row with glyphs, not with colour alone', () => {
    const placed = placeColumns(COLUMNS, 80)
    const row = rowLine(placed, ROW, look(80), { selected: true, marked: true })
    expect(textOf(row).slice(0, 2)).toBe('▶●')
    for (const { style } of row) expect(style.bg).toBe(theme.style('selection').bg)
    expect(
      textOf(rowLine(placed, ROW, { ...look(80), ascii: true }, { selected: true, marked: true })).slice(0, 2),
    ).toBe('>*')
  })

  it('shows which column it is sorted by', () => {
    const placed = placeColumns(COLUMNS, 80)
    expect(textOf(headerLine(placed, look(80), { id: 'p99', descending: true }))).toContain('P99↓')
    expect(textOf(headerLine(placed, { ...look(80), ascii: true }, { id: 'p99', descending: false }))).toContain('P99^')
  })

  it('keeps its width with hostile names', () => {
    const placed = placeColumns(COLUMNS, 80)
    for (const name of [
      '\x1b[31mred',
      `a${'\u0301'.repeat(99)}`,
      '\u202eevil',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'.repeat(20),
    ]) {
      expect(widthOf(textOf(rowLine(placed, { ...ROW, name: untrusted(name) }, look(80))))).toBe(80)
    }
  })
})
