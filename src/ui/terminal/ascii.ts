import type { Grid } from './cells.ts'

/** Our own typography as a console font without it shows it; text from nodes keeps its script. */
const STAND_INS: Readonly<Record<string, string>> = { '…': '~', '–': '-', '−': '-', '×': 'x', '°': ' ', '·': '.' }

/** Replace in one row what an ASCII-only terminal has no glyph for. */
export function toAscii(grid: Grid, row: number): void {
  const start = row * grid.columns
  for (let index = start; index < start + grid.columns; index += 1) {
    const text = grid.text[index] ?? ' '
    if (text > '~') grid.text[index] = STAND_INS[text] ?? text
  }
}
