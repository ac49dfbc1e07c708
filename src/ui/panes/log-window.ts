import type { LogRow } from '../../fleet/view.ts'
import type { Line } from '../terminal/line.ts'

/** What of the log rows is in sight. */
export interface LogWindow {
  readonly lines: readonly Line[]
  /** Index of the first and last row in sight; -1 when there are none. */
  readonly first: number
  readonly last: number
}

/**
 * The rows that fill so many lines: the cursor's row in the middle with its begin in sight, or the end where `cursor` is null.
 * Only rows that are seen are drawn.
 */
export function logWindow(
  rows: readonly LogRow[],
  cursor: number | null,
  height: number,
  draw: (row: LogRow) => readonly Line[],
): LogWindow {
  if (rows.length === 0 || height <= 0) return { lines: [], first: -1, last: -1 }
  const at = Math.max(0, Math.min(rows.length - 1, cursor ?? rows.length - 1))
  const drawn = (index: number): readonly Line[] => {
    const row = rows[index]
    return row === undefined ? [] : draw(row)
  }
  const here = drawn(at).slice(cursor === null ? -height : 0, cursor === null ? undefined : height)
  const above: Line[] = []
  const below: Line[] = []
  let first = at
  let last = at
  const fillBelow = (most: number): void => {
    while (below.length < most && last + 1 < rows.length) {
      last += 1
      below.push(...drawn(last))
    }
  }
  const fillAbove = (most: number): void => {
    while (above.length < most && first > 0) {
      first -= 1
      above.unshift(...drawn(first))
    }
  }
  const room = height - here.length
  if (cursor !== null) fillBelow(Math.floor(room / 2))
  fillAbove(room - Math.min(below.length, Math.floor(room / 2)))
  fillBelow(room - above.length)
  const shownAbove = above.slice(Math.max(0, above.length - Math.max(room - below.length, Math.ceil(room / 2), 0)))
  const lines = [...shownAbove, ...here, ...below].slice(0, height)
  return { lines, first, last }
}
