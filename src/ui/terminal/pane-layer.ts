import { Grid } from './cells.ts'
import type { Line, Place, Size } from './line.ts'
import type { StyleTable } from './style.ts'

/** A part of the screen that paints itself, without React. */
export interface Pane {
  /** Where it lies now; null while it has no place. */
  place(): Place | null
  /** Its lines, top to bottom. Called at most once a frame. Lines must not be changed afterwards. */
  paint(size: Size): readonly Line[]
}

/** What a compositor keeps of a pane: where it lay last and the cells that it painted there. */
export class PaneLayer {
  /** Whether it must be painted before the next frame. */
  stale = true
  place: Place | null = null
  grid = new Grid(0, 0)
  private readonly pane: Pane
  private lines: readonly (Line | undefined)[] = []

  constructor(pane: Pane) {
    this.pane = pane
  }

  /** Ask the pane for its place and its lines; tells which rows of the screen may have changed. */
  repaint(styles: StyleTable, changed: (row: number) => void): void {
    this.stale = false
    const place = this.pane.place()
    if (!place || place.columns <= 0 || place.rows <= 0) {
      this.eachRow(changed)
      this.place = null
      return
    }
    if (!isSamePlace(place, this.place)) {
      this.eachRow(changed)
      this.place = place
      this.eachRow(changed)
      this.grid = new Grid(place.columns, place.rows)
      this.lines = []
    }
    const lines = this.pane.paint({ columns: place.columns, rows: place.rows })
    for (let row = 0; row < place.rows; row += 1) {
      const line = lines[row]
      if (this.lines.length > 0 && isSameLine(this.lines[row], line)) continue
      this.grid.putLine(row, line ?? [], styles)
      changed(place.y + row)
    }
    this.lines = Array.from({ length: place.rows }, (_, row) => lines[row])
  }

  /** Every row of the screen that it lies on. */
  eachRow(visit: (row: number) => void): void {
    if (!this.place) return
    for (let row = this.place.y; row < this.place.y + this.place.rows; row += 1) visit(row)
  }
}

/** Most lines of a pane are as they were: comparing their spans is cheaper than cutting them into cells again. */
function isSameLine(a: Line | undefined, b: Line | undefined): boolean {
  if (a === b) return true
  if (!a || !b || a.length !== b.length) return false
  for (let index = 0; index < a.length; index += 1) {
    if (a[index]?.text !== b[index]?.text || a[index]?.style !== b[index]?.style) return false
  }
  return true
}

function isSamePlace(a: Place, b: Place | null): boolean {
  return b !== null && a.x === b.x && a.y === b.y && a.columns === b.columns && a.rows === b.rows
}
