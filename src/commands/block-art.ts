import { type PictureCell, type Rgb, shadeOf } from '../pictures/cells.ts'
import { lowerStyle } from '../ui/terminal/colour.ts'
import type { ColourDepth } from '../ui/terminal/style.ts'

/**
 * A picture as lines for a terminal: half blocks in the colours that it shows, else characters from dark to light. Each
 * line ends in the terminal's own colours.
 */
export function blockArt(
  cells: readonly (readonly PictureCell[])[],
  { depth, ascii }: { readonly depth: ColourDepth; readonly ascii: boolean },
): string {
  if (depth === 'none' || ascii) {
    return cells
      .map(
        (row) =>
          `${row
            .map((cell) => shadeOf(cell, ascii))
            .join('')
            .trimEnd()}\n`,
      )
      .join('')
  }
  return cells
    .map((row) => {
      let last = ''
      const blocks = row.map(({ upper, lower }) => {
        const style = lowerStyle({ fg: sgr(38, upper), bg: sgr(48, lower), attributes: 0 }, depth)
        const parameters = `${style.fg};${style.bg}`
        const change = parameters === last ? '' : `\u001b[${parameters}m`
        last = parameters
        return `${change}▀`
      })
      return `${blocks.join('')}\u001b[0m\n`
    })
    .join('')
}

function sgr(layer: 38 | 48, [red, green, blue]: Rgb): string {
  return `${layer};2;${red};${green};${blue}`
}
