import type { Grid } from './cells.ts'
import type { StyleTable } from './style.ts'
import { agreementOn, smearColumns } from './text.ts'

/** Gap of unchanged cells up to which writing them again is shorter than moving the cursor. */
const REWRITE_GAP = 4
/** Blank cells at the end of a row from which erasing is shorter than writing. */
const ERASE_FROM = 4

/**
 * Escape sequences that turn what the terminal shows (`front`) into what it should show (`back`), for the given rows;
 * `front` is brought up to date. The cursor is placed anew after every character on whose width terminals disagree, and
 * the cells that such a character may have smeared are written again. Starts and ends in the plain style.
 */
export function diff(front: Grid, back: Grid, rows: Iterable<number>, styles: StyleTable): string {
  const writer = new DiffWriter(front, back, styles)
  for (const row of rows) writer.row(row)
  return writer.end()
}

class DiffWriter {
  private readonly front: Grid
  private readonly back: Grid
  private readonly styles: StyleTable
  private out = ''
  private style = 0
  /** Where the terminal's cursor is; -1 when it is not known for certain. */
  private cursorRow = -1
  private cursorColumn = -1
  /** The cursor stands after a run of wide characters, whose width a terminal may see otherwise. */
  private afterWide = false

  constructor(front: Grid, back: Grid, styles: StyleTable) {
    this.front = front
    this.back = back
    this.styles = styles
  }

  end(): string {
    this.setStyle(0)
    return this.out
  }

  row(row: number): void {
    const { columns } = this.back
    const start = row * columns
    const blankFrom = this.blankFrom(start)
    let smearedTo = 0
    let column = 0
    while (column < columns) {
      if (column >= smearedTo && this.isSame(start + column)) {
        column += 1
        continue
      }
      // The second half of a wide character is written by its first.
      if (this.back.text[start + column] === '' && column > 0) column -= 1
      if (column >= blankFrom && columns - column >= ERASE_FROM) {
        this.eraseFrom(row, column)
        return
      }
      const wide = column + 1 < columns && this.back.text[start + column + 1] === ''
      const smear = this.writeCell(row, column, wide)
      smearedTo = Math.max(smearedTo, Math.min(columns, column + smear))
      column += wide ? 2 : 1
    }
  }

  private isSame(index: number): boolean {
    return this.front.text[index] === this.back.text[index] && this.front.style[index] === this.back.style[index]
  }

  /** Column from which the row is plain blank. */
  private blankFrom(start: number): number {
    let column = this.back.columns
    while (column > 0 && this.back.text[start + column - 1] === ' ' && this.back.style[start + column - 1] === 0) {
      column -= 1
    }
    return column
  }

  /** Writes one character; the answer is how many columns from here may now look wrong. */
  private writeCell(row: number, column: number, wide: boolean): number {
    const index = row * this.back.columns + column
    const text = this.back.text[index] ?? ' '
    const agreement = agreementOn(text)
    if (this.afterWide && agreement !== 'wide') this.cursorColumn = -1
    this.moveTo(row, column)
    this.setStyle(this.back.style[index] ?? 0)
    if (wide && agreement === 'contested') {
      this.out += '  '
      this.cursorColumn = -1
      this.moveTo(row, column)
    }
    this.out += text
    this.copy(index)
    if (wide) this.copy(index + 1)
    this.afterWide = agreement === 'wide'
    const after = column + (wide ? 2 : 1)
    // Autowrap is off: after the last column the cursor stays on it.
    this.cursorColumn = agreement === 'contested' || after >= this.back.columns ? -1 : after
    return agreement === 'contested' ? smearColumns(text) : 0
  }

  private eraseFrom(row: number, column: number): void {
    if (this.afterWide) this.cursorColumn = -1
    this.moveTo(row, column)
    this.setStyle(0)
    this.out += '\x1b[K'
    this.front.clearRow(row, column)
  }

  private moveTo(row: number, column: number): void {
    const gap = column - this.cursorColumn
    this.afterWide = false
    if (this.cursorRow === row && this.cursorColumn >= 0 && gap >= 0) {
      if (gap > 0 && !this.rewrite(row, this.cursorColumn, column)) this.out += gap === 1 ? '\x1b[C' : `\x1b[${gap}C`
    } else {
      this.out += column === 0 ? `\x1b[${row + 1}H` : `\x1b[${row + 1};${column + 1}H`
    }
    this.cursorRow = row
    this.cursorColumn = column
  }

  /** Step over a few unchanged cells by writing them again, when they are plain ASCII in the current style. */
  private rewrite(row: number, from: number, to: number): boolean {
    if (to - from > REWRITE_GAP) return false
    const start = row * this.back.columns
    let between = ''
    for (let column = from; column < to; column += 1) {
      const text = this.back.text[start + column] ?? ''
      if (this.back.style[start + column] !== this.style || text.length !== 1 || text.charCodeAt(0) > 0x7e) return false
      between += text
    }
    this.out += between
    return true
  }

  private setStyle(style: number): void {
    this.out += this.styles.transition(this.style, style)
    this.style = style
  }

  private copy(index: number): void {
    this.front.text[index] = this.back.text[index] ?? ' '
    this.front.style[index] = this.back.style[index] ?? 0
  }
}
