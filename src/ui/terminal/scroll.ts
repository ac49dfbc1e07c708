import type { Grid } from './cells.ts'

/** Fewest rows for which scrolling is worth its sequences. */
const MIN_ROWS = 4
/** Most rows that are scrolled at once; logs that jump farther are written anew. */
const MAX_SHIFT = 16

/**
 * Where rows only moved up, as in a log that is followed, move them on the terminal too (scroll region, DECSTBM) instead
 * of writing them again. Looks at runs of changed rows that lie under each other; a run counts as moved when most of its
 * rows, from edge to edge, are what the terminal shows some rows below. The answer is the escape sequences; `front` is
 * brought up to date. The cursor is anywhere afterwards, the style must be plain.
 */
export function scrollMovedRows(front: Grid, back: Grid, changedRows: readonly number[]): string {
  let sequences = ''
  for (const [from, bottom] of runsOf(changedRows.filter((row) => !isRowSame(front, row, back, row)))) {
    const shift = shiftOf(front, back, from, bottom)
    if (shift === 0) continue
    // A title that changed above the log is no part of what moved.
    let top = from
    while (!isRowSame(front, top + shift, back, top)) top += 1
    sequences += `\x1b[${top + 1};${bottom + 1}r\x1b[${bottom + 1}H${'\n'.repeat(shift)}\x1b[r`
    moveUp(front, top, bottom, shift)
  }
  return sequences
}

/** Runs of rows that lie under each other, first and last. Rows must be sorted. */
function runsOf(rows: readonly number[]): (readonly [number, number])[] {
  const runs: [number, number][] = []
  for (const row of rows) {
    const last = runs.at(-1)
    if (last && last[1] === row - 1) last[1] = row
    else runs.push([row, row])
  }
  return runs.filter(([top, bottom]) => bottom - top + 1 >= MIN_ROWS)
}

/** By how many rows the run moved up; 0 when it did not, or when too little would be saved. */
function shiftOf(front: Grid, back: Grid, top: number, bottom: number): number {
  const rows = bottom - top + 1
  for (let shift = 1; shift <= Math.min(MAX_SHIFT, rows - 2); shift += 1) {
    let kept = 0
    for (let row = top; row + shift <= bottom; row += 1) if (isRowSame(front, row + shift, back, row)) kept += 1
    if (kept * 2 > rows) return shift
  }
  return 0
}

function isRowSame(front: Grid, frontRow: number, back: Grid, backRow: number): boolean {
  const { columns } = back
  const from = frontRow * columns
  const to = backRow * columns
  for (let column = 0; column < columns; column += 1) {
    if (front.text[from + column] !== back.text[to + column]) return false
    if (front.style[from + column] !== back.style[to + column]) return false
  }
  return true
}

function moveUp(grid: Grid, top: number, bottom: number, shift: number): void {
  const { columns } = grid
  const target = top * columns
  const from = (top + shift) * columns
  const end = (bottom + 1) * columns
  grid.text.copyWithin(target, from, end)
  grid.style.copyWithin(target, from, end)
  for (let row = bottom - shift + 1; row <= bottom; row += 1) grid.clearRow(row)
}
