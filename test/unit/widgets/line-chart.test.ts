import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { loadTheme } from '../../../src/ui/theme.ts'
import { axisTop, type LineChart, lineChart, resample } from '../../../src/ui/widgets/line-chart.ts'

const { theme } = loadTheme('dark', fileURLToPath(new URL('../../../themes', import.meta.url)))
const textOf = (line: Line): string => line.map(({ text }) => text).join('')
const GOLDEN = '../../golden/charts'

function latency(ascii: boolean): LineChart {
  const wave = Array.from({ length: 120 }, (_, second) => {
    if (second >= 40 && second < 55) return null
    return second === 90 ? 70 : 20 + 10 * Math.sin(second / 8)
  })
  return {
    series: [
      { name: 'p99', token: 'series2', values: wave },
      { name: 'p50', token: 'series1', values: wave.map((value) => (value === null ? null : Math.min(value, 30) / 2)) },
    ],
    format: (value) => `${Math.round(value)} ms`,
    span: '-2 min',
    threshold: { value: 50, token: 'threshold' },
    ascii,
    theme,
  }
}

describe('line chart', () => {
  it.each([
    ['braille-60x12', false, { columns: 60, rows: 12 }],
    ['ascii-60x12', true, { columns: 60, rows: 12 }],
    ['braille-30x6', false, { columns: 30, rows: 6 }],
  ] as const)('looks as it always did: %s', async (name, ascii, size) => {
    const lines = lineChart(latency(ascii), size)
    await expect(`${lines.map(textOf).join('\n')}\n`).toMatchFileSnapshot(`${GOLDEN}/${name}.txt`)
  })

  it('fills any size exactly and never writes past its edge', () => {
    for (const ascii of [false, true]) {
      for (let columns = 1; columns <= 70; columns += 7) {
        for (let rows = 1; rows <= 14; rows += 1) {
          const lines = lineChart(latency(ascii), { columns, rows })
          expect(lines).toHaveLength(rows)
          for (const line of lines) expect(widthOf(textOf(line))).toBeLessThanOrEqual(columns)
        }
      }
    }
  })

  it('uses nothing but ASCII when told so', () => {
    for (const line of lineChart(latency(true), { columns: 60, rows: 12 })) expect(textOf(line)).toMatch(/^[ -~]*$/)
  })

  it('draws each series and the limit in its own look', () => {
    const styles = new Set(
      lineChart(latency(false), { columns: 60, rows: 12 })
        .flat()
        .map(({ style }) => style),
    )
    for (const token of ['series1', 'series2', 'threshold'] as const) expect(styles).toContain(theme.style(token))
  })

  it('leaves a gap where there is no data', () => {
    const values = [...Array(20).fill(10), ...Array(20).fill(null), ...Array(20).fill(10)]
    const chart = { ...latency(false), series: [{ name: 'p50', token: 'series1' as const, values }] }
    const { threshold: _, ...plain } = chart
    const rows = lineChart(plain, { columns: 36, rows: 6 }).slice(1, 5)
    const drawn = rows.map((line) => [...textOf(line)].slice(6))
    const column = (at: number) => drawn.some((row) => (row[at] ?? ' ') !== ' ')
    expect([2, 15, 27].map(column)).toEqual([true, false, true])
  })

  it('says that there is no data instead of showing an old value', () => {
    const chart = { ...latency(false), series: [{ name: 'p99', token: 'series2' as const, values: [30, null] }] }
    expect(textOf(lineChart(chart, { columns: 60, rows: 8 })[0] ?? [])).toContain('p99 no data')
    expect(lineChart({ ...chart, series: [] }, { columns: 60, rows: 8 })).toHaveLength(8)
  })

  it('keeps the limit in sight and rounds the top of the axis', () => {
    expect(axisTop({ series: [], threshold: { value: 50, token: 'threshold' } })).toBe(60)
    expect(axisTop({ series: [{ name: '', token: 'text', values: [730] }] })).toBe(800)
    expect(axisTop({ series: [{ name: '', token: 'text', values: [null] }] })).toBe(1)
    expect(axisTop({ series: [{ name: '', token: 'text', values: [0.2] }], atLeast: 10 })).toBe(10)
  })

  it('labels no two heights alike', () => {
    const chart = { ...latency(false), series: [], format: (value: number) => `${Math.round(value)} B/s` }
    const { threshold: _, ...idle } = chart
    const labels = lineChart(idle, { columns: 40, rows: 9 }).map((line) => textOf(line).match(/\d B\/s/)?.[0])
    expect(labels.filter((label) => label !== undefined)).toEqual(['1 B/s', '0 B/s'])
  })

  it('loses no peak when it shows many values in few columns', () => {
    const values = Array.from({ length: 1000 }, (_, index) => (index === 503 ? 99 : 1))
    for (const points of [10, 37, 100]) expect(Math.max(...resample(values, points).map(Number))).toBe(99)
  })
})
