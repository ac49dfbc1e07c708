import { hintsFor, showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'

/** The last line: what is being typed, else the newest notice, else the keys of this screen that fit. */
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
  const notice = notices[0]
  if (notice !== undefined) {
    const back = keymap.keysOf('nav.back')[0]
    const more = notices.length > 1 ? ` (and ${notices.length - 1} more)` : ''
    const close = back === undefined ? '' : `  ${showKey(back)} closes${more}`
    return out
      .add(' ')
      .rest(notice.text, columns - widthOf(close) - 1, 'warning')
      .add(close, 'muted')
      .done()
  }
  for (const { keys, title } of hintsFor(keymap, console.contexts()).filter(
    ({ action }) => !action.startsWith('demo.'),
  )) {
    const key = keys[0] ?? ''
    if (out.columns + widthOf(key) + widthOf(title) + 4 > columns) break
    out.add(' ').add(key, 'key').add(` ${title} `, 'muted')
  }
  return out.done()
}
