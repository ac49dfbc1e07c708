import { Text } from 'ink'
import { showKey } from '../../actions/keymap.ts'
import type { PaletteMatch } from '../../actions/palette.ts'
import { actionOf } from '../../actions/table.ts'
import type { Console } from '../console.ts'
import type { Keys } from '../keys.ts'
import type { Size } from '../terminal/line.ts'
import { truncate } from '../terminal/text.ts'
import { Dialog } from './help.tsx'

const ROWS = 12
const KEY_COLUMNS = 10

/** Find and run any action by a few letters of its name. */
export function PaletteOverlay({
  console,
  keys,
  size,
  text,
  row,
}: {
  readonly console: Console
  readonly keys: Keys
  readonly size: Size
  readonly text: string
  readonly row: number
}) {
  const { look } = console.parts
  const matches = keys.paletteMatches()
  const rows = Math.min(ROWS, Math.max(1, size.rows - 6))
  const first = Math.max(0, Math.min(row - Math.floor(rows / 2), matches.length - rows))
  const shown = matches.slice(first, first + rows)
  const width = Math.min(size.columns - 4, 84)
  return (
    <Dialog console={console} size={size} width={width} height={rows + 3} title="run an action">
      <Text {...look.theme.ink('surface')}>{` :${text}${look.ascii ? '_' : '█'}`}</Text>
      {shown.map((match, index) => (
        <PaletteRow
          key={match.action}
          console={console}
          match={match}
          selected={first + index === row}
          width={width - 2}
        />
      ))}
      {matches.length === 0 && (
        <Text {...look.theme.ink('surface')}> no action matches; backspace widens, esc closes</Text>
      )}
    </Dialog>
  )
}

function PaletteRow({
  console,
  match,
  selected,
  width,
}: {
  readonly console: Console
  readonly match: PaletteMatch
  readonly selected: boolean
  readonly width: number
}) {
  const { keymap, look } = console.parts
  const key = keymap.keysOf(match.action).map(showKey).join(' ')
  const mark = selected ? (look.ascii ? '>' : '▶') : ' '
  const room = width - KEY_COLUMNS - 28
  const { action, title, missing } = match
  const told = missing === null ? actionOf(action).description : `needs ${missing}`
  const text = ` ${mark} ${title.padEnd(22)} ${truncate(told, room).padEnd(room)} `
  return (
    <Text wrap="truncate" dimColor={missing !== null} inverse={selected} {...look.theme.ink('surface')}>
      {text}
      <Text bold>{key.slice(0, KEY_COLUMNS)}</Text>
    </Text>
  )
}
