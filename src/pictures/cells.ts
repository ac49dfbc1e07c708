import type { Picture } from './decode.ts'

/** Red, green and blue, 0..255. */
export type Rgb = readonly [number, number, number]

/** One character cell of a picture: two pixels, one above the other, for a cell is twice as high as wide. */
export interface PictureCell {
  readonly upper: Rgb
  readonly lower: Rgb
}

/** From black to white for terminals without colours; block elements, and ASCII alone. */
const BLOCK_RAMP = ' ░▒▓█'
const ASCII_RAMP = ' .:-=+*#%@'

/** Scale a picture into so many columns and rows of cells with its proportions kept; every cell is the mean of what it covers. */
export function pictureCells(
  picture: Picture,
  room: { readonly columns: number; readonly rows: number },
): PictureCell[][] {
  const { width, height } = picture
  const scale = Math.min(room.columns / width, (room.rows * 2) / height)
  // A small picture is enlarged by whole steps, so that its pixels stay squares of one size.
  const step = scale >= 1 ? Math.floor(scale) : scale
  const columns = Math.max(1, Math.min(room.columns, Math.round(width * step)))
  const halves = Math.max(1, Math.min(room.rows * 2, Math.round(height * step)))
  const rows: PictureCell[][] = []
  for (let half = 0; half < halves; half += 2) {
    rows.push(
      Array.from({ length: columns }, (_, column) => ({
        upper: meanOf(picture, column / columns, (column + 1) / columns, half / halves, (half + 1) / halves),
        lower:
          half + 1 < halves
            ? meanOf(picture, column / columns, (column + 1) / columns, (half + 1) / halves, (half + 2) / halves)
            : ([0, 0, 0] as const),
      })),
    )
  }
  return rows
}

/** A cell as one character of grey. */
export function shadeOf({ upper, lower }: PictureCell, ascii: boolean): string {
  const ramp = ascii ? ASCII_RAMP : BLOCK_RAMP
  const light = (luminance(upper) + luminance(lower)) / 2 / 255
  return ramp[Math.min(ramp.length - 1, Math.floor(light * ramp.length))] ?? ' '
}

/** ITU-R BT.601 luma. */
function luminance([red, green, blue]: Rgb): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue
}

function meanOf({ width, height, rgb }: Picture, fromX: number, toX: number, fromY: number, toY: number): Rgb {
  const left = Math.floor(fromX * width)
  const right = Math.max(left + 1, Math.floor(toX * width))
  const top = Math.floor(fromY * height)
  const bottom = Math.max(top + 1, Math.floor(toY * height))
  const sum: [number, number, number] = [0, 0, 0]
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        sum[channel] = (sum[channel] ?? 0) + (rgb[(y * width + x) * 3 + channel] ?? 0)
      }
    }
  }
  const count = (right - left) * (bottom - top)
  return [Math.round(sum[0] / count), Math.round(sum[1] / count), Math.round(sum[2] / count)]
}
