import type { LogLine } from '../../fleet/view.ts'
import { widthOf } from '../terminal/text.ts'
import type { Piece } from './styled-text.ts'

/** Fields that are shown behind a message; the others are counted and unfold. */
const INLINE_FIELDS = 5
/** Longest value of a field that is shown behind a message whole, characters. */
const INLINE_CHARS = 60
/** Widest name of a field that values are aligned behind. */
const MOST_NAME_COLUMNS = 24
/** Most lines of one value that is read as JSON. */
const MAX_JSON_LINES = 40
/** Longest value that is read as JSON, characters: one that is longer is shown as it is. */
const MAX_JSON_CHARS = 16_384

/** Every field of a line by name; the name of the daemon's event repeats its message and is left out. */
export function fieldsOf(row: LogLine): [string, string][] {
  return Object.entries(row.fields)
    .filter(([name]) => name !== 'event')
    .map(([name, value]) => [name, String(value)])
}

/** A few fields as they stand behind a message: those in which something is found first, then in their order. */
export function inlineFields(row: LogLine, isFound: (text: string) => boolean): Piece[] {
  const fields = fieldsOf(row)
  const found = fields.length <= INLINE_FIELDS ? [] : fields.filter(([name, value]) => isFound(`${name}=${value}`))
  const shown = [...found, ...fields.filter((field) => !found.includes(field))].slice(0, INLINE_FIELDS)
  const pieces = shown.flatMap(([name, value]): Piece[] => {
    const cut = value.length > INLINE_CHARS && !found.some(([other]) => other === name)
    return [
      { text: ` ${name}=`, token: 'muted' },
      { text: cut ? `${value.slice(0, INLINE_CHARS)}…` : value, token: 'text' },
    ]
  })
  const rest = fields.length - shown.length
  if (rest > 0) pieces.push({ text: ` +${rest}`, token: 'muted' })
  return pieces.length === 0 ? [] : [{ text: ' ', token: 'text' }, ...pieces]
}

/** Every field on lines of its own, names aligned, what is JSON read as such. */
export function unfoldedFields(row: LogLine): Piece[][] {
  const fields = fieldsOf(row)
  const nameColumns = Math.min(MOST_NAME_COLUMNS, Math.max(0, ...fields.map(([name]) => widthOf(name))))
  return fields.flatMap(([name, value]) => {
    const blank = ' '.repeat(Math.max(0, nameColumns - widthOf(name)))
    const [first = '', ...others] = readable(value)
    return [
      [
        { text: `${name}${blank}  `, token: 'accent' },
        { text: first, token: 'text' },
      ],
      ...others.map((text): Piece[] => [{ text: ' '.repeat(nameColumns + 2) + text, token: 'text' }]),
    ] satisfies Piece[][]
  })
}

/** A value in lines: an object or a list in JSON as people write it, anything else as it is. */
function readable(value: string): string[] {
  if (!/^\s*[[{]/.test(value) || value.length > MAX_JSON_CHARS) return [value]
  let read: unknown
  try {
    read = JSON.parse(value)
  } catch {
    return [value]
  }
  const lines = JSON.stringify(read, null, 2).split('\n')
  if (lines.length <= MAX_JSON_LINES) return lines
  return [...lines.slice(0, MAX_JSON_LINES), `… ${lines.length - MAX_JSON_LINES} more lines`]
}
