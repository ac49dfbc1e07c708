import type { TextRange } from '../../fleet/log-pattern.ts'
import { clustersOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'

/** A stretch of text in one meaning. */
export interface Piece {
  readonly text: string
  readonly token: Token
  /** It lies in what is looked for. */
  readonly isMatch?: boolean
}

/** How pieces are laid into lines. */
export interface Laying {
  /** Columns of a line. */
  readonly columns: number
  /** Most lines; what is left over is cut, and ends in `ellipsis`. */
  readonly lines: number
  readonly ellipsis: string
  /** Finds what is marked in the whole text; absent for nothing. */
  readonly ranges?: (text: string) => readonly TextRange[]
}

/** Code units a column may take, joined characters included: what cannot be seen is not looked at. */
const UNITS_PER_COLUMN = 4

interface Run {
  text: string
  readonly token: Token
  readonly isMatch: boolean
}

/** Lay pieces that follow each other into lines of so many columns. Never empty; the last line is as wide as it gets. */
export function layPieces(pieces: readonly Piece[], laying: Laying): Piece[][] {
  const columns = Math.max(2, laying.columns)
  const bounded = boundedTo(pieces, columns * laying.lines * UNITS_PER_COLUMN)
  const marked = laying.ranges?.(bounded.map(({ text }) => text).join('')) ?? []
  const lines: Run[][] = [[]]
  let used = 0
  let offset = 0
  let nextRange = 0
  for (const { text, token } of bounded) {
    for (const cluster of clustersOf(text)) {
      if (used + cluster.columns > columns) {
        if (lines.length === laying.lines) return cut(lines, columns, laying.ellipsis)
        lines.push([])
        used = 0
      }
      while ((marked[nextRange]?.to ?? Number.POSITIVE_INFINITY) <= offset) nextRange += 1
      put(lines.at(-1) ?? [], cluster.text, token, offset >= (marked[nextRange]?.from ?? Number.POSITIVE_INFINITY))
      used += cluster.columns
      offset += cluster.text.length
    }
  }
  return isShorter(bounded, pieces) ? cut(lines, columns, laying.ellipsis) : lines
}

function boundedTo(pieces: readonly Piece[], units: number): Piece[] {
  let left = units
  const kept: Piece[] = []
  for (const piece of pieces) {
    if (left <= 0) break
    kept.push(piece.text.length <= left ? piece : { ...piece, text: piece.text.slice(0, left) })
    left -= piece.text.length
  }
  return kept
}

function isShorter(bounded: readonly Piece[], all: readonly Piece[]): boolean {
  return bounded.length < all.length || bounded.at(-1)?.text.length !== all.at(-1)?.text.length
}

function put(line: Run[], text: string, token: Token, isMatch: boolean): void {
  const last = line.at(-1)
  if (last !== undefined && last.token === token && last.isMatch === isMatch) last.text += text
  else line.push({ text, token, isMatch })
}

/** End the last line in the ellipsis, in place of as many characters as it takes. */
function cut(lines: readonly (readonly Piece[])[], columns: number, ellipsis: string): Piece[][] {
  const last = lines.at(-1) ?? []
  const kept: Piece[] = []
  let used = 0
  for (const piece of last) {
    let text = ''
    for (const cluster of clustersOf(piece.text)) {
      if (used + cluster.columns > columns - 1) break
      text += cluster.text
      used += cluster.columns
    }
    if (text !== '') kept.push({ ...piece, text })
  }
  return [...lines.slice(0, -1).map((line) => [...line]), [...kept, { text: ellipsis, token: 'muted' }]]
}
