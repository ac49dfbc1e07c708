import { hintsFor, type KeyHint, showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import type { Notice } from '../console-store.ts'
import { execLineTexts } from '../exec/exec-line.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { type LineBuilder, line } from '../widgets/line-builder.ts'
import { findHint } from './log-notes.ts'

/**
 * The notice that the last line shows, of those that are still to be read, oldest first: the answer to the last key before
 * anything else, then what stays until it is dismissed, in its order.
 */
export function noticeShown(notices: readonly Notice[]): Notice | undefined {
  return notices.findLast(({ untilMs }) => untilMs !== null) ?? notices[0]
}

/** The last line: what is being typed, else a notice, else the keys of this screen that fit. */
export function footerLine(console: Console, columns: number): Line {
  const { store, look, keymap } = console.parts
  const { overlay } = store.get()
  const notices = store.notices(console.nowMs())
  const out = line(look.theme)
  if (overlay?.name === 'filter') {
    out
      .add(' /', 'key')
      .add(overlay.text)
      .add(look.ascii ? '_' : '█', 'accent')
    const help = overlay.fault ?? 'enter keeps it, esc clears it'
    return out.rest(`  ${help}`, columns, overlay.fault === null ? 'muted' : 'danger').done()
  }
  if (overlay?.name === 'find') {
    out
      .add(overlay.mode === 'search' ? ' /' : ' &', 'key')
      .add(overlay.text)
      .add(look.ascii ? '_' : '█', 'accent')
    return out.rest(`  ${findHint(console, overlay)}`, columns, overlay.fault === null ? 'muted' : 'danger').done()
  }
  if (overlay?.name === 'exec') {
    const { before, help } = execLineTexts(overlay, console.parts.context)
    out
      .add(before, overlay.command === null ? 'key' : 'danger')
      .add(endThatFits(overlay.text, columns - out.columns - 1))
      .add(look.ascii ? '_' : '█', 'accent')
    return out.rest(`  ${help}`, columns, overlay.fault === null ? 'muted' : 'danger').done()
  }
  if (overlay?.name === 'time') {
    out
      .add(' look at ', 'key')
      .add(overlay.text)
      .add(look.ascii ? '_' : '█', 'accent')
    const isLogs = console.screen().name === 'logs' && store.get().replay === null
    const examples = isLogs
      ? '10:32, -4m, 2026-11-25 10:32, range 10:00..10:30'
      : '10:32, 10:32:07, -4m, 2026-11-25 10:32'
    const help = overlay.fault ?? `${examples}; enter goes there`
    return out.rest(`  ${help}`, columns, overlay.fault === null ? 'muted' : 'danger').done()
  }
  const notice = noticeShown(notices)
  if (notice !== undefined) {
    const back = keymap.keysOf('nav.back')[0]
    const more = notices.length > 1 ? `, ${notices.length - 1} more` : ''
    const close = back === undefined ? '' : `  ${showKey(back)} closes${more}`
    const room = columns - widthOf(close) - 1
    // What is wrong in a file and how to mend it matter more than the folders that it lies in.
    const text = widthOf(notice.text) < room ? notice.text : notice.text.replace(/^\/\S*\//, '')
    return out.add(' ').rest(text, room, 'warning').add(close, 'muted').done()
  }
  const all = hintsFor(keymap, console.contexts()).filter(({ action }) => !action.startsWith('demo.'))
  // Who looks at the past is told first how to move in it and how to leave it.
  const isReplay = ({ action }: KeyHint): boolean => action.startsWith('replay.')
  const hints =
    store.get().replay === null
      ? all.filter(({ action }) => action !== 'replay.live')
      : [...all.filter(isReplay), ...all.filter((hint) => !isReplay(hint))]
  // How to get help and how to leave, the screen or the console, is always there, whatever else fits.
  const leaving: readonly string[] = [
    'app.help',
    'app.quit',
    ...(console.screen().name === 'fleet' ? [] : ['nav.back']),
  ]
  const isFixed = ({ action }: KeyHint): boolean => leaving.includes(action)
  const fixed = hints.filter(isFixed)
  const room = columns - fixed.reduce((sum, hint) => sum + hintColumns(hint), 0)
  for (const hint of hints.filter((candidate) => !isFixed(candidate))) {
    if (out.columns + hintColumns(hint) > room) break
    addHint(out, hint)
  }
  out.padTo(room)
  for (const hint of fixed) addHint(out, hint)
  return out.done()
}

/** The end of a text, where the cursor is; what has no room before it is left out. */
function endThatFits(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let rest = text
  while (widthOf(rest) + 1 > columns && rest !== '') rest = [...rest].slice(1).join('')
  return `…${rest}`
}

function hintColumns({ keys, title }: KeyHint): number {
  return widthOf(keys[0] ?? '') + widthOf(title) + 3
}

function addHint(out: LineBuilder, { keys, title }: KeyHint): void {
  out
    .add(' ')
    .add(keys[0] ?? '', 'key')
    .add(` ${title} `, 'muted')
}
