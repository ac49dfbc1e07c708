import { untrusted } from '../../../protocol/untrusted-text.ts'
import { endText, isOk } from '../../shell/fan-out-outcome.ts'
import { type QuotedName, quotedName } from '../../shell/quoted-name.ts'
import type { ExecRow } from '../exec/exec-run.ts'
import type { Line } from '../terminal/line.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'
import { layPieces, type Piece } from './styled-text.ts'

const COUNT_COLUMNS = 4
const END_COLUMNS = 18
/** A text that is longer is cut. */
const MOST_LINES_OF_TEXT = 20

/** A row of a run: how many nodes, how it went there, which they are, and the first line of what came. */
export function execRowLine(
  row: ExecRow,
  { firstLine, selected }: { readonly firstLine: string; readonly selected: boolean },
  look: Look,
  columns: number,
): Line {
  const { glyph, token } = markOf(row, look)
  const out = line(look.theme, ...(selected ? (['selection'] as const) : []))
  out.add(selected ? (look.ascii ? '> ' : '▶ ') : '  ', 'accent').add(`${glyph} `, token)
  out.cell(String(row.keys.length), COUNT_COLUMNS, 'text', 'right').add('  ')
  out.cell(endOf(row), END_COLUMNS, token).add('  ')
  const left = columns - out.columns
  out.cell(row.keys.join(', '), Math.max(10, Math.floor(left * 0.45)), 'text').add('  ')
  out.rest(firstLine, columns, 'muted')
  return (selected ? out.padTo(columns) : out).done()
}

/** What a row says in full: for nodes that were not reached why, each its own; else what its program wrote. */
export function execOutput(
  row: ExecRow,
  { command, output }: { readonly command: string; readonly output: readonly string[] },
  look: Look,
): Piece[] {
  const reasons = row.outcomes.flatMap(({ key, end }) =>
    end.kind === 'exited'
      ? []
      : [
          { text: `${key}: ${endText(end)}`, token: 'danger' as const },
          ...(end.kind === 'unreachable' ? end.next : []).map((cure) => ({
            text: `  ${look.ascii ? '->' : '→'} ${cure}`,
            token: 'muted' as const,
          })),
        ],
  )
  const written = output.map((text) => ({ text, token: text.startsWith('! ') ? 'warning' : 'text' }) as const)
  return [...hintPieces(quotedName(command, row.outcomes), look), ...reasons, ...written]
}

/** What is typed in the console is a line for the shell already. */
function hintPieces(name: QuotedName | null, { ascii }: Look): Piece[] {
  if (name === null) return []
  return [
    { text: `${untrusted(name.text)} was taken as the name of one program: it stands in quotes`, token: 'warning' },
    { text: `  ${ascii ? '->' : '→'} the line goes to a shell as it is, so leave them out`, token: 'muted' },
  ]
}

/** Texts in lines of a pane, each wrapped to be read to its end: a fingerprint that is cut compares with nothing. */
export function execOutputLines(texts: readonly Piece[], look: Look, columns: number): Line[] {
  const laying = { columns: columns - 1, lines: MOST_LINES_OF_TEXT, ellipsis: look.ascii ? '...' : '…' }
  return texts.flatMap((piece) =>
    layPieces([piece], laying).map((pieces) =>
      pieces.reduce((out, { text, token }) => out.add(text, token), line(look.theme).add(' ')).done(),
    ),
  )
}

function endOf({ kind, sample }: ExecRow): string {
  if (sample === null) return kind
  return sample.end.kind === 'unreachable' || sample.end.kind === 'dropped' ? sample.end.kind : endText(sample.end)
}

/** Never told by colour alone. */
function markOf({ kind, sample }: ExecRow, { ascii }: Look): { readonly glyph: string; readonly token: Token } {
  if (sample !== null) {
    if (isOk(sample)) return { glyph: ascii ? '+' : '●', token: 'ok' }
    const isFailed = sample.end.kind === 'exited'
    return isFailed ? { glyph: ascii ? '!' : '▲', token: 'warning' } : { glyph: ascii ? 'x' : '✗', token: 'danger' }
  }
  return kind === 'running' ? { glyph: ascii ? '*' : '◐', token: 'info' } : { glyph: ascii ? '.' : '○', token: 'muted' }
}
