import { Box, Text } from 'ink'
import { helpFor } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import type { Size } from '../terminal/line.ts'
import { truncate } from '../terminal/text.ts'

const KEY_COLUMNS = 12
const TITLE_COLUMNS = 22

/** Every key of the open screen, from the action table and the operator's own key map. */
export function HelpOverlay({ console, size }: { readonly console: Console; readonly size: Size }) {
  const { keymap, look } = console.parts
  const actions = helpFor(keymap, console.contexts()).filter((action) => action.keys.length > 0)
  const width = Math.min(size.columns - 4, 108)
  const shown = actions.slice(0, Math.max(1, size.rows - 6))
  const room = width - KEY_COLUMNS - TITLE_COLUMNS - 4
  return (
    <Dialog
      console={console}
      size={size}
      width={width}
      height={shown.length + 3}
      title={`keys of the ${console.screen().name} screen`}
    >
      {shown.map(({ action, keys, title, description }) => (
        <Text key={action} wrap="truncate" {...look.theme.ink('surface')}>
          <Text bold {...look.theme.ink('key')}>
            {` ${keys.join(' ').padEnd(KEY_COLUMNS)}`}
          </Text>
          {title.padEnd(TITLE_COLUMNS)}
          {room > 20 ? truncate(description, room) : ''}
        </Text>
      ))}
      <Text dimColor>
        {actions.length > shown.length
          ? ` and ${actions.length - shown.length} more in a larger terminal; any key closes`
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
