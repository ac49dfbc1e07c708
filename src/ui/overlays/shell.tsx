import { Text } from 'ink'
import type { Console } from '../console.ts'
import { placesFor, type ShellFace } from '../shell-face.ts'
import type { Size } from '../terminal/line.ts'
import { fitText, truncate, wrapWords } from '../terminal/text.ts'
import { Dialog } from './help.tsx'

const WIDTH = 84
const PLACES = 12
const LABEL_COLUMNS = 44
/** Most lines of a text that is longer than a line. */
const MOST_LINES = 16

/** What is asked and told on the way to a shell. */
export function ShellOverlay({
  console,
  size,
  face,
}: {
  readonly console: Console
  readonly size: Size
  readonly face: ShellFace
}) {
  const { look } = console.parts
  const width = Math.min(size.columns - 2, WIDTH)
  if (face.phase === 'choosing') return <Places console={console} size={size} face={face} />
  const { title, lines, foot } = partsOf(face, look.ascii)
  const wrapped = lines.flatMap((line) => wrapWords(line, width - 4)).slice(0, Math.min(MOST_LINES, size.rows - 6))
  const fault = face.phase === 'typing' ? face.fault : null
  return (
    <Dialog console={console} size={size} width={width} height={wrapped.length + 4} title={truncate(title, width - 4)}>
      {wrapped.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name and only their place.
        <Text key={index} {...look.theme.ink('surface')}>{` ${line}`}</Text>
      ))}
      {fault === null ? <Text> </Text> : <Text {...look.theme.ink('danger')}>{` ${truncate(fault, width - 4)}`}</Text>}
      <Text dimColor>{` ${truncate(foot, width - 4)}`}</Text>
    </Dialog>
  )
}

function partsOf(
  face: Exclude<ShellFace, { phase: 'choosing' }>,
  ascii: boolean,
): { readonly title: string; readonly lines: readonly string[]; readonly foot: string } {
  const cursor = ascii ? '_' : '█'
  switch (face.phase) {
    case 'looking':
      return {
        title: face.use === 'shell' ? `shell on ${face.node}` : `container logs of ${face.node}`,
        lines: [
          face.use === 'shell' ? 'looking for ways to it …' : 'looking for its pods …',
          ...aheadLines(face.typedAhead),
        ],
        foot: 'esc cancels',
      }
    case 'connecting':
      return {
        title: `shell on ${face.node}`,
        lines: [`connecting to ${face.label} …`, ...face.said, ...aheadLines(face.typedAhead)],
        foot: 'esc cancels; what you type now is given to the shell',
      }
    case 'typing': {
      const shown = face.secret ? (ascii ? '*' : '•').repeat([...face.typed].length) : face.typed
      return {
        title: face.title,
        lines: [...face.text, `> ${shown}${cursor}`],
        foot: `enter answers${face.secret ? ', what you type is not shown' : ''}; esc cancels`,
      }
    }
    case 'failed':
      return { title: face.title, lines: face.text, foot: 'enter tries again; esc goes back' }
  }
}

function aheadLines(typedAhead: string): string[] {
  return typedAhead === '' ? [] : [`typed ahead: ${typedAhead.replaceAll('\r', '⏎').replaceAll('\t', '⇥')}`]
}

function Places({
  console,
  size,
  face,
}: {
  readonly console: Console
  readonly size: Size
  readonly face: Extract<ShellFace, { phase: 'choosing' }>
}) {
  const { look } = console.parts
  const places = placesFor(face.places, face.text)
  const width = Math.min(size.columns - 2, 104)
  const faults = face.faults.slice(0, 3)
  const rows = Math.min(PLACES, Math.max(1, size.rows - 8 - faults.length))
  const row = Math.max(0, Math.min(face.row, places.length - 1))
  const first = Math.max(0, Math.min(row - Math.floor(rows / 2), places.length - rows))
  const hasLog = places[row]?.log !== undefined
  const opens =
    face.use === 'log' ? 'enter shows its log' : `enter opens the shell${hasLog ? ', tab shows its log' : ''}`
  const labelColumns = Math.min(LABEL_COLUMNS, Math.max(20, width - 24))
  return (
    <Dialog
      console={console}
      size={size}
      width={width}
      height={rows + 3 + faults.length}
      title={face.use === 'shell' ? `shell on ${face.node}: where?` : `container logs of ${face.node}: which?`}
    >
      <Text {...look.theme.ink('surface')}>{` ${face.text}${look.ascii ? '_' : '█'}`}</Text>
      {places.slice(first, first + rows).map((place, index) => {
        const isChosen = first + index === row
        const mark = isChosen ? (look.ascii ? '>' : '▶') : ' '
        const label = fitText(place.label, labelColumns)
        const detail = fitText(place.detail, Math.max(0, width - labelColumns - 8))
        return (
          <Text key={place.label} wrap="truncate" inverse={isChosen} {...look.theme.ink('surface')}>
            {` ${mark} ${label}  ${detail} `}
          </Text>
        )
      })}
      {places.length === 0 && <Text {...look.theme.ink('surface')}> no place matches; backspace widens</Text>}
      {faults.map((fault) => (
        <Text key={fault} wrap="truncate" {...look.theme.ink('warning')}>
          {` ${truncate(fault, width - 4)}`}
        </Text>
      ))}
      <Text dimColor>{` type to search; ${opens}; esc goes back`}</Text>
    </Dialog>
  )
}
