import { formatAge, formatClock, formatCount, formatMs, formatPct, UNKNOWN } from '../format.ts'
import type { RolloutFacts, RolloutNode, RolloutWave } from '../rollouts/facts.ts'
import type { Line, Size } from '../terminal/line.ts'
import { widthOf, wrapWords } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import { headerLine, placeColumns, rowLine, type TableColumn } from '../widgets/table.ts'
import { firstRow } from './fleet-table.ts'
import { type Look, stateMark } from './look.ts'
import { standingMark, waveMark } from './rollout-look.ts'
import type { Piece } from './styled-text.ts'

/** A line of the journal as the list of decisions shows it. */
export interface DecisionLine {
  readonly atMs: number
  readonly piece: Piece
}

/** A wave a line; of more than fit those around the one that runs. */
export function waveLines({ waves, nowMs }: RolloutFacts, look: Look, { columns, rows }: Size): Line[] {
  const running = waves.findIndex(({ phase }) => phase === 'running')
  const at = running >= 0 ? running : waves.findLastIndex(({ phase }) => phase === 'ended')
  const first = firstRow(Math.max(0, at), rows, waves.length)
  const nameColumns = Math.min(24, Math.max(8, ...waves.map(({ name }) => widthOf(name))))
  return waves.slice(first, first + rows).map((wave) => {
    const { glyph, token, word } = waveMark(wave.phase, look)
    const out = line(look.theme).add(` ${glyph} `, token).cell(wave.name, nameColumns).add(' ')
    out.cell(`${wave.done} of ${wave.nodes}`, 12, 'text', 'right').add('  ').cell(word, 8, token)
    return out.rest(waveText(wave, nowMs), columns, 'muted').done()
  })
}

function waveText(wave: RolloutWave, nowMs: number): string {
  const times =
    wave.beganMs === null
      ? null
      : wave.endedMs === null
        ? `for ${formatAge(nowMs - wave.beganMs)}`
        : `at ${formatClock(wave.endedMs, 'local')}, took ${formatAge(wave.endedMs - wave.beganMs)}`
  const approval = wave.needsApproval && wave.why === null ? 'somebody has to approve behind it' : null
  const serving = wave.serving > 0 ? `${wave.serving} on probation` : null
  return [times, serving, approval, wave.why].filter((part) => part !== null).join('; ')
}

/** Which nodes match what was typed: every word in name, site, wave or standing. */
export function nodesMatching(nodes: readonly RolloutNode[], filter: string): readonly RolloutNode[] {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return nodes
  return nodes.filter(({ name, site, wave, standing, says }) => {
    const all = `${name}\n${site}\n${wave ?? ''}\n${standing}\n${says}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** Nodes a row, around the cursor; null for no cursor. */
export function nodeLines(
  rows: readonly RolloutNode[],
  { cursorKey, nowMs }: { readonly cursorKey: string | null; readonly nowMs: number },
  look: Look,
  size: Size,
): Line[] {
  const how = { theme: look.theme, ascii: look.ascii, columns: size.columns }
  const placed = placeColumns(columnsFor(rows, nowMs, look), size.columns)
  const visible = Math.max(0, size.rows - 1)
  const at = Math.max(
    0,
    rows.findIndex(({ key }) => key === cursorKey),
  )
  const first = firstRow(at, visible, rows.length)
  const shown = rows
    .slice(first, first + visible)
    .map((row) => rowLine(placed, row, how, { selected: row.key === cursorKey }))
  return [headerLine(placed, how), ...shown]
}

function columnsFor(rows: readonly RolloutNode[], nowMs: number, look: Look): TableColumn<RolloutNode>[] {
  const widest = (of: (row: RolloutNode) => string): number =>
    rows.reduce((most, row) => Math.max(most, widthOf(of(row))), 4)
  const share = (row: RolloutNode, part: 'failed' | 'slow'): string =>
    row.served === null || row.served.requests === 0
      ? UNKNOWN
      : formatPct((100 * row.served[part]) / row.served.requests)
  return [
    {
      id: 'name',
      title: 'NODE',
      rank: 0,
      minColumns: Math.min(
        16,
        widest((row) => row.name),
      ),
      idealColumns: Math.min(
        28,
        widest((row) => row.name),
      ),
      cell: (row) => ({ text: row.name }),
    },
    {
      id: 'site',
      title: 'SITE',
      rank: 5,
      minColumns: Math.min(
        12,
        widest((row) => row.site),
      ),
      idealColumns: Math.min(
        20,
        widest((row) => row.site),
      ),
      cell: (row) => ({ text: row.site, token: 'muted' }),
    },
    {
      id: 'wave',
      title: 'WAVE',
      rank: 4,
      minColumns: Math.min(
        10,
        widest((row) => row.wave ?? UNKNOWN),
      ),
      cell: (row) => ({ text: row.wave ?? UNKNOWN, token: 'muted' }),
    },
    {
      id: 'standing',
      title: 'STANDS',
      rank: 1,
      minColumns: 13,
      cell: (row) => {
        const { glyph, word, token } = standingMark(row.standing, look)
        return { text: `${glyph} ${word}`, token }
      },
    },
    {
      id: 'for',
      title: 'FOR',
      rank: 2,
      minColumns: 7,
      align: 'right',
      cell: (row) => ({ text: formatAge(nowMs - row.sinceMs) }),
    },
    ...(rows.some(({ reach }) => reach !== null && reach !== 'up')
      ? [
          {
            id: 'reach',
            title: 'IS',
            rank: 3,
            minColumns: 10,
            cell: ({ reach }: RolloutNode) =>
              reach === null
                ? { text: UNKNOWN }
                : { text: `${stateMark(reach, look).glyph} ${reach}`, token: stateMark(reach, look).token },
          },
        ]
      : []),
    {
      id: 'served',
      title: 'SERVED',
      rank: 7,
      minColumns: 7,
      align: 'right',
      cell: (row) => ({ text: row.served === null ? UNKNOWN : formatCount(row.served.requests) }),
    },
    {
      id: 'failed',
      title: 'FAILED',
      rank: 6,
      minColumns: 7,
      align: 'right',
      cell: (row) => ({ text: share(row, 'failed'), token: (row.served?.failed ?? 0) > 0 ? 'warning' : 'text' }),
    },
    {
      id: 'slow',
      title: '>50 ms',
      rank: 6,
      minColumns: 7,
      align: 'right',
      cell: (row) => ({ text: share(row, 'slow'), token: (row.served?.slow ?? 0) > 0 ? 'warning' : 'text' }),
    },
    {
      id: 'p99',
      title: 'P99',
      rank: 8,
      minColumns: 8,
      align: 'right',
      cell: (row) => ({ text: formatMs(row.p99Ms), token: (row.p99Ms ?? 0) > 50 ? 'warning' : 'text' }),
    },
    {
      id: 'says',
      title: 'SAYS',
      rank: 3,
      minColumns: 14,
      idealColumns: Math.max(
        14,
        widest((row) => row.says),
      ),
      cell: (row) => ({ text: row.says, token: 'muted' }),
    },
  ]
}

/** Nodes that are not where they should be, each with the whole reason. */
export function asideLines(
  rows: readonly RolloutNode[],
  nowMs: number,
  scroll: number,
  look: Look,
  size: Size,
): Line[] {
  if (rows.length === 0) return [line(look.theme).add(' no node is deferred, suspect or left over', 'muted').done()]
  const laying = { columns: size.columns - 4, lines: 4, ellipsis: look.ascii ? '...' : '…' }
  const lines = rows.flatMap((row) => {
    const { glyph, word, token } = standingMark(row.standing, look)
    const about = `, ${row.site}, for ${formatAge(nowMs - row.sinceMs)}`
    const says = row.says === '' ? '' : `: ${row.says}`
    const pieces: Piece[] = [
      { text: `${word} `, token },
      { text: row.name, token: 'text' },
      { text: `${about}${says}`, token: 'muted' },
    ]
    return laid(pieces, `${glyph} `, token, laying, look)
  })
  return scrolled(lines, scroll, size.rows)
}

/** What the gates found, in words, what fails first. */
export function gateLines({ verdict }: RolloutFacts, scroll: number, look: Look, size: Size): Line[] {
  if (verdict === null) return [line(look.theme).add(' the gates have judged nothing yet', 'muted').done()]
  const order = { fail: 0, inconclusive: 1, pass: 2 } as const
  const marks = {
    fail: [look.ascii ? 'x' : '✗', 'danger', 'fails'],
    inconclusive: [look.ascii ? '?' : '…', 'warning', 'not sure'],
    pass: [look.ascii ? '+' : '●', 'ok', 'passes'],
  } as const
  const laying = { columns: size.columns - 4, lines: 4, ellipsis: look.ascii ? '...' : '…' }
  const lines = verdict.findings
    .toSorted((a, b) => order[a.verdict] - order[b.verdict])
    .flatMap((finding) => {
      const [glyph, token, word] = marks[finding.verdict]
      const against = finding.against === 'baseline' ? ' against unchanged nodes' : ''
      const pieces: Piece[] = [
        { text: `${GATE_WORDS[finding.gate]}${against} ${word}: `, token },
        { text: finding.msg, token: 'text' },
      ]
      return laid(pieces, `${glyph} `, token, laying, look)
    })
  return scrolled(lines, scroll, size.rows)
}

const GATE_WORDS = {
  failed: 'failed answers',
  slow: 'over 50 ms',
  disagrees: 'disagreement',
  labelled: 'labelled set',
  alerts: 'alerts',
  dark: 'dark nodes',
} as const

/** What happened and was decided, the newest first, each to its end. */
export function decisionLines(decisions: readonly DecisionLine[], scroll: number, look: Look, size: Size): Line[] {
  if (decisions.length === 0) return [line(look.theme).add(' nothing was decided yet', 'muted').done()]
  const laying = { columns: Math.max(10, size.columns - 11), lines: 4, ellipsis: look.ascii ? '...' : '…' }
  const lines: Line[] = []
  for (let index = decisions.length - 1; index >= 0 && lines.length < scroll + size.rows; index -= 1) {
    const decision = decisions[index]
    if (decision !== undefined)
      lines.push(...laid([decision.piece], `${formatClock(decision.atMs, 'local')} `, 'muted', laying, look))
  }
  return scrolled(lines, scroll, size.rows)
}

/** Pieces in lines that are broken between words, the first behind a lead; what is over so many lines is cut. */
function laid(
  pieces: readonly Piece[],
  lead: string,
  token: Piece['token'],
  { columns, lines, ellipsis }: { readonly columns: number; readonly lines: number; readonly ellipsis: string },
  look: Look,
): Line[] {
  const whole = pieces.map(({ text }) => text).join('')
  const wrapped = wrapWords(whole, columns)
  let at = 0
  return wrapped.slice(0, lines).map((text, index) => {
    const out = line(look.theme).add(index === 0 ? ` ${lead}` : ' '.repeat(1 + widthOf(lead)), token)
    const isCut = index === lines - 1 && wrapped.length > lines
    // Only a blank between two lines is left out of them.
    at = whole.indexOf(text, at)
    for (const part of partsOf(pieces, at, at + text.length)) out.add(part.text, part.token)
    at += text.length
    return (isCut ? out.add(ellipsis, 'muted') : out).done()
  })
}

/** What of pieces that follow each other lies between two places of the whole. */
function partsOf(pieces: readonly Piece[], from: number, to: number): Piece[] {
  const parts: Piece[] = []
  let begin = 0
  for (const piece of pieces) {
    const text = piece.text.slice(Math.max(0, from - begin), Math.max(0, to - begin))
    if (text !== '') parts.push({ ...piece, text })
    begin += piece.text.length
  }
  return parts
}

/** Scrolled as far as was asked, but not past the last line. */
function scrolled(lines: readonly Line[], scroll: number, rows: number): Line[] {
  const first = Math.max(0, Math.min(scroll, lines.length - rows))
  return lines.slice(first, first + rows)
}
