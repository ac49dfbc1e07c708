import { ATTRIBUTE, type CellStyle, type ColourDepth, PLAIN } from './style.ts'

const ANSI_NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const
// The 16 colours as xterm shows them, to find the nearest.
const ANSI_RGB: readonly (readonly [number, number, number])[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
]
const CUBE = [0, 95, 135, 175, 215, 255] as const

/**
 * SGR parameter of a foreground colour as a theme writes it: `#rrggbb`, `red`, `brightRed`, `gray`, `default`; null
 * when it is none of these. {@link asBackground} turns the parameter into one for the background.
 */
export function parseColour(text: string): string | null {
  if (text === 'default') return ''
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text)
  if (hex) return `38;2;${[hex[1], hex[2], hex[3]].map((pair) => Number.parseInt(pair ?? '0', 16)).join(';')}`
  if (text === 'gray' || text === 'grey') return '90'
  const bright = /^bright([A-Z][a-z]+)$/.exec(text)
  const index = ANSI_NAMES.indexOf((bright?.[1]?.toLowerCase() ?? text) as (typeof ANSI_NAMES)[number])
  return index < 0 ? null : String((bright ? 90 : 30) + index)
}

/** The same colour as a background parameter. */
export function asBackground(fg: string): string {
  if (fg === '') return ''
  return fg.startsWith('38;') ? `4${fg.slice(1)}` : String(Number(fg) + 10)
}

/** Lower a style's colours to what a terminal shows; attributes stay. Without colours a background is shown as inverse. */
export function lowerStyle(style: CellStyle, depth: ColourDepth): CellStyle {
  if (depth === 'true') return style
  if (depth === 'none') return { ...PLAIN, attributes: style.attributes | (style.bg === '' ? 0 : ATTRIBUTE.inverse) }
  return { fg: lowerColour(style.fg, depth), bg: lowerColour(style.bg, depth), attributes: style.attributes }
}

function lowerColour(parameter: string, depth: '16' | '256'): string {
  const [layer, kind, ...rest] = parameter.split(';').map(Number)
  if (layer !== 38 && layer !== 48) return parameter
  const rgb = kind === 2 ? rest : rgbOf256(rest[0] ?? 0)
  const [red = 0, green = 0, blue = 0] = rgb
  if (depth === '256') return kind === 5 ? parameter : `${layer};5;${nearest256(red, green, blue)}`
  const index = hueOf16(red, green, blue)
  const base = layer === 38 ? 30 : 40
  return String(index < 8 ? base + index : base + 52 + index)
}

/** Of 16 colours the one of the same hue: the nearest by distance would make a pale red grey, and lose its meaning. */
function hueOf16(red: number, green: number, blue: number): number {
  const highest = Math.max(red, green, blue)
  const lowest = Math.min(red, green, blue)
  if (highest - lowest < 40) {
    if (highest < 50) return 0
    if (highest < 160) return 8
    return highest < 215 ? 7 : 15
  }
  const middle = (highest + lowest) / 2
  const hue = (red >= middle ? 1 : 0) | (green >= middle ? 2 : 0) | (blue >= middle ? 4 : 0)
  return highest > 200 ? hue + 8 : hue
}

function rgbOf256(index: number): readonly number[] {
  if (index < 16) return ANSI_RGB[index] ?? [0, 0, 0]
  if (index >= 232) return Array<number>(3).fill(8 + (index - 232) * 10)
  const cube = index - 16
  return [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((step) => CUBE[step] ?? 0)
}

function nearest256(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map((value) => nearestStep(value)) as [number, number, number]
  const cube = 16 + 36 * r + 6 * g + b
  const grey = Math.min(23, Math.max(0, Math.round(((red + green + blue) / 3 - 8) / 10)))
  const candidates = [cube, 232 + grey].map((index) => ({ index, rgb: rgbOf256(index) }))
  const chosen = nearestIndex(
    candidates.map((candidate) => candidate.rgb),
    red,
    green,
    blue,
  )
  return candidates[chosen]?.index ?? cube
}

function nearestStep(value: number): number {
  let best = 0
  for (const [step, level] of CUBE.entries()) {
    if (Math.abs(level - value) < Math.abs((CUBE[best] ?? 0) - value)) best = step
  }
  return best
}

function nearestIndex(palette: readonly (readonly number[])[], red: number, green: number, blue: number): number {
  let best = 0
  let bestDistance = Number.POSITIVE_INFINITY
  for (const [index, [r = 0, g = 0, b = 0]] of palette.entries()) {
    // Green weighs most and blue least in how different two colours look.
    const distance = 3 * (r - red) ** 2 + 6 * (g - green) ** 2 + (b - blue) ** 2
    if (distance < bestDistance) {
      best = index
      bestDistance = distance
    }
  }
  return best
}
