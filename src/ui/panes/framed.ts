import type { Line, Size } from '../terminal/line.ts'
import { truncate, widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** A pane under a ruled title: `── alerts ─────`; `note` stands muted after the title when there is room. */
export function framed(
  title: string,
  body: (size: Size) => readonly Line[],
  look: Look,
  size: Size,
  note = '',
): Line[] {
  const rule = look.ascii ? '-' : '─'
  const out = line(look.theme)
    .add(`${rule} `, 'border')
    .add(truncate(title, size.columns - 4), 'title')
    .add(' ')
  if (note !== '' && out.columns + widthOf(note) + 3 < size.columns) out.add(`${note} `, 'muted')
  out.add(rule.repeat(Math.max(0, size.columns - out.columns)), 'border')
  const rows = Math.max(0, size.rows - 1)
  return [out.done(), ...body({ columns: size.columns, rows }).slice(0, rows)]
}
