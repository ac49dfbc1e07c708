import type { Grid } from './cells.ts'
import type { StyleTable } from './style.ts'

const ESC = '\x1b'

/**
 * Put one laid-out line of Ink (text and SGR sequences) into a row of the grid. Any other escape sequence is dropped:
 * what arrives here is a picture, not a program.
 */
export function putSgrLine(grid: Grid, row: number, line: string, styles: StyleTable): void {
  let column = 0
  let style = 0
  let index = 0
  while (index < line.length && column < grid.columns) {
    const escapeAt = line.indexOf(ESC, index)
    const end = escapeAt < 0 ? line.length : escapeAt
    if (end > index) column = grid.put(row, column, line.slice(index, end), style)
    if (escapeAt < 0) break
    const sequence = readSequence(line, escapeAt)
    if (sequence.sgr !== null) style = styles.applySgr(style, sequence.sgr)
    index = sequence.end
  }
  grid.clearRow(row, column)
}

/** One escape sequence: where it ends, and its parameters when it is SGR. */
function readSequence(line: string, start: number): { end: number; sgr: string | null } {
  const kind = line[start + 1]
  if (kind === '[') {
    let end = start + 2
    while (end < line.length && !isFinal(line.charCodeAt(end))) end += 1
    const parameters = line.slice(start + 2, end)
    const sgr = line[end] === 'm' && /^[\d;:]*$/.test(parameters) ? parameters : null
    return { end: end + 1, sgr }
  }
  if (kind === ']') {
    const bell = line.indexOf('\x07', start)
    const terminator = line.indexOf(`${ESC}\\`, start)
    const ends = [bell < 0 ? null : bell + 1, terminator < 0 ? null : terminator + 2].filter((end) => end !== null)
    return { end: ends.length === 0 ? line.length : Math.min(...ends), sgr: null }
  }
  return { end: start + 2, sgr: null }
}

function isFinal(code: number): boolean {
  return code >= 0x40 && code <= 0x7e
}
