import type { CellStyle } from './style.ts'

/** A run of text in one look. Text may come from outside: the grid shows what is unsafe in it, and never executes it. */
export interface Span {
  readonly text: string
  readonly style: CellStyle
}

/** One row of a pane, left to right; what does not fit is cut, what is missing is blank. */
export type Line = readonly Span[]

/** Columns and rows. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

/** A rectangle of the screen, 0-based. */
export interface Place extends Size {
  readonly x: number
  readonly y: number
}
