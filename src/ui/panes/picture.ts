import { type PictureCell, pictureCells, type Rgb, shadeOf } from '../../pictures/cells.ts'
import { formatBytes } from '../format.ts'
import type { PictureState } from '../picture-viewer.ts'
import type { Line, Size } from '../terminal/line.ts'
import { PLAIN } from '../terminal/style.ts'
import { wrapWords } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** Shades of each colour: a picture needs no more, and the table of styles has room for it. */
const SHADES = 16

/** A picture as blocks, or where it is, or why it is not there. `colour` false draws it in shades of grey. */
export function pictureLines(state: PictureState, look: Look & { readonly colour: boolean }, size: Size): Line[] {
  const say = (text: string, token: 'muted' | 'danger' | 'warning' | 'ok'): Line =>
    line(look.theme).add(' ').rest(text, size.columns, token).done()
  if (state.phase === 'none' || state.phase === 'loading') return [say('on its way from the node…', 'muted')]
  if (state.phase === 'failed') {
    const sayAll = (text: string, token: 'danger' | 'muted'): Line[] =>
      wrapWords(text, Math.max(1, size.columns - 2)).map((part) => say(part, token))
    return [...sayAll(state.message, 'danger'), ...state.next.flatMap((cure) => sayAll(cure, 'muted'))]
  }
  const { picture, fault, contentType, data, savedAs } = state
  const what =
    picture === null ? contentType : `${picture.format.toUpperCase()} of ${picture.fullWidth} by ${picture.fullHeight}`
  const facts = say(`${what}, ${formatBytes(data.length)}, as the device sent it`, 'muted')
  const saved = savedAs === null ? [] : [say(`saved: ${savedAs}`, 'ok')]
  if (picture === null) return [facts, ...saved, say(fault ?? '', 'danger')]
  const rows = Math.max(1, size.rows - 2 - saved.length)
  const cells = pictureCells(picture, { columns: size.columns - 2, rows })
  const pad = ' '.repeat(Math.max(1, Math.floor((size.columns - (cells[0]?.length ?? 0)) / 2)))
  const drawn = cells.map((row): Line => {
    const start = { text: pad, style: PLAIN }
    if (!look.colour || look.ascii) {
      return [start, { text: row.map((cell) => shadeOf(cell, look.ascii)).join(''), style: look.theme.style('text') }]
    }
    return [start, ...row.map(spanOf)]
  })
  return [facts, ...saved, [], ...drawn]
}

/** The upper half in the colour of the text, the lower in that behind it. */
function spanOf({ upper, lower }: PictureCell): Line[number] {
  return { text: '▀', style: styleOf(upper, lower) }
}

function styleOf(upper: Rgb, lower: Rgb): Line[number]['style'] {
  return { fg: `38;2;${upper.map(shade).join(';')}`, bg: `48;2;${lower.map(shade).join(';')}`, attributes: 0 }
}

function shade(value: number): number {
  return Math.round((Math.round((value / 255) * (SHADES - 1)) / (SHADES - 1)) * 255)
}
