import { Box, Text } from 'ink'
import { showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import type { Size } from '../terminal/line.ts'
import { truncate } from '../terminal/text.ts'
import { helpPage } from './help-page.ts'

const KEY_COLUMNS = 9
const TITLE_COLUMNS = 22
/** From this width on the longest sentence fits beside the name. */
const WIDE_COLUMNS = 104

/** Every key of the open screen, from the action table and the operator's own key map. */
export function HelpOverlay({
  console,
  size,
  first,
}: {
  readonly console: Console
  readonly size: Size
  readonly first: number
}) {
  const { keymap, look } = console.parts
  const { shown, first: begin, count } = helpPage(console, first, size.rows)
  const width = Math.min(size.columns, 108)
  // A sentence says more than a name: where both have no room, the name gives way.
  const titleColumns = width >= WIDE_COLUMNS ? TITLE_COLUMNS : 0
  const room = width - KEY_COLUMNS - titleColumns - 3
  const scroll = keymap.keysOf('nav.pageDown').map(showKey)[0] ?? 'down'
  return (
    <Dialog
      console={console}
      size={size}
      width={width}
      height={shown.length + 3}
      title={`keys of the ${console.screen().name} screen`}
    >
      {shown.map(({ action, keys, title, missing, description }) => (
        <Text key={action} wrap="truncate" dimColor={missing !== null} {...look.theme.ink('surface')}>
          <Text bold {...look.theme.ink('key')}>
            {` ${keys.join(' ').padEnd(KEY_COLUMNS)}`}
          </Text>
          {title.padEnd(TITLE_COLUMNS).slice(0, titleColumns)}
          {truncate(missing === null ? description : `needs ${missing}`, room)}
        </Text>
      ))}
      <Text dimColor>
        {count > shown.length
          ? ` ${begin + 1} to ${begin + shown.length} of ${count}; ${scroll} scrolls, any other key closes`
          : ' any key closes'}
      </Text>
    </Dialog>
  )
}

/** A framed box in the middle of the screen, over everything else. */
export function Dialog({
  console,
  size,
  width,
  height,
  title,
  children,
}: {
  readonly console: Console
  readonly size: Size
  readonly width: number
  /** Rows within the frame and the title. */
  readonly height: number
  readonly title: string
  readonly children: React.ReactNode
}) {
  const { theme, ascii } = console.parts.look
  const surface = theme.ink('surface').backgroundColor
  return (
    <Box
      position="absolute"
      marginLeft={Math.max(0, Math.floor((size.columns - width) / 2))}
      marginTop={Math.max(0, Math.floor((size.rows - height - 2) / 3))}
      width={width}
      height={Math.min(height + 2, size.rows)}
      flexDirection="column"
      overflow="hidden"
      borderStyle={ascii ? 'classic' : 'round'}
      {...(theme.ink('borderFocus').color === undefined ? {} : { borderColor: theme.ink('borderFocus').color })}
      {...(surface === undefined ? {} : { backgroundColor: surface })}
    >
      <Text bold {...theme.ink('surface')}>{` ${title}`}</Text>
      {children}
    </Box>
  )
}
