import type { Line } from './line.ts'
import type { StyleTable } from './style.ts'
import { agreementOn, clustersOf } from './text.ts'

/**
 * A rectangle of cells. A cell holds one cluster of text and a style id; the second column of a wide character holds
 * the empty text. Whatever is put in is safe to write to a terminal.
 */
export class Grid {
  readonly columns: number
  readonly rows: number
  readonly text: string[]
  readonly style: Uint16Array

  constructor(columns: number, rows: number) {
    this.columns = Math.max(0, columns)
    this.rows = Math.max(0, rows)
    this.text = new Array<string>(this.columns * this.rows).fill(' ')
    this.style = new Uint16Array(this.columns * this.rows)
  }

  /** Blank a row from a column on. */
  clearRow(row: number, fromColumn = 0): void {
    const start = row * this.columns + fromColumn
    const end = (row + 1) * this.columns
    this.text.fill(' ', start, end)
    this.style.fill(0, start, end)
  }

  /**
   * Put text at a column; the answer is the column after it. A wide character that would be cut by the edge is left
   * out.
   */
  put(row: number, column: number, text: string, style: number): number {
    let at = column
    const start = row * this.columns
    let ascii = 0
    while (ascii < text.length) {
      const code = text.charCodeAt(ascii)
      if (code < 0x20 || code > 0x7e) break
      if (at >= this.columns) return this.columns
      this.text[start + at] = text[ascii] ?? ' '
      this.style[start + at] = style
      at += 1
      ascii += 1
    }
    if (ascii === text.length) return at
    // A mark may belong to the last letter: take it along.
    const back = ascii > 0 ? 1 : 0
    at -= back
    for (const cluster of clustersOf(text.slice(ascii - back))) {
      if (at + cluster.columns > this.columns) break
      this.text[start + at] = cluster.text
      this.style[start + at] = style
      if (cluster.columns === 2) {
        this.text[start + at + 1] = ''
        this.style[start + at + 1] = style
      }
      at += cluster.columns
    }
    return at
  }

  /** Put a line into a row and blank what is right of it. */
  putLine(row: number, line: Line, styles: StyleTable): void {
    let column = 0
    for (const span of line) {
      if (column >= this.columns) break
      column = this.put(row, column, span.text, styles.intern(span.style))
    }
    this.clearRow(row, column)
  }

  /** Show a blank, never half a character, where something lies on one half of a wide character. */
  blankHalves(row: number): void {
    const start = row * this.columns
    for (let column = 0; column < this.columns; column += 1) {
      const index = start + column
      const text = this.text[index] ?? ' '
      if (text === '') {
        this.text[index] = ' '
        continue
      }
      if (text.charCodeAt(0) < 0x300 && text.length === 1) continue
      if (!isWide(text)) continue
      const whole = column + 1 < this.columns && this.text[index + 1] === ''
      if (whole) column += 1
      else this.text[index] = ' '
    }
  }
}

function isWide(text: string): boolean {
  if (agreementOn(text) === 'narrow') return false
  for (const cluster of clustersOf(text)) return cluster.columns === 2
  return false
}
