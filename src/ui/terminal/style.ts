/** Bits of {@link CellStyle.attributes}. */
export const ATTRIBUTE = { bold: 1, dim: 2, italic: 4, underline: 8, inverse: 16, strike: 32 } as const
/** Name of an attribute that a cell can have. */
export type AttributeName = keyof typeof ATTRIBUTE

/** How many colours a terminal shows; `none` leaves attributes only (NO_COLOR). */
export type ColourDepth = 'none' | '16' | '256' | 'true'

/**
 * Look of one cell. Colours are SGR parameters without the ESC and `m`: `31`, `38;5;208`, `38;2;1;2;3` (backgrounds
 * `41`, `48;…`); empty is the terminal's own. Attributes are bits of {@link ATTRIBUTE}.
 */
export interface CellStyle {
  readonly fg: string
  readonly bg: string
  readonly attributes: number
}

/** The terminal's own look. */
export const PLAIN: CellStyle = { fg: '', bg: '', attributes: 0 }

/** Lay one style over another: what the upper says wins, attributes add up. */
export function over(lower: CellStyle, upper: CellStyle): CellStyle {
  return {
    fg: upper.fg || lower.fg,
    bg: upper.bg || lower.bg,
    attributes: lower.attributes | upper.attributes,
  }
}

const ATTRIBUTE_SGR: readonly (readonly [bit: number, on: string])[] = [
  [ATTRIBUTE.bold, '1'],
  [ATTRIBUTE.dim, '2'],
  [ATTRIBUTE.italic, '3'],
  [ATTRIBUTE.underline, '4'],
  [ATTRIBUTE.inverse, '7'],
  [ATTRIBUTE.strike, '9'],
]
const BIT_OF_SGR = new Map<number, number>(ATTRIBUTE_SGR.map(([bit, on]) => [Number(on), bit]))
const CLEARED_BY = new Map<number, number>([
  [22, ATTRIBUTE.bold | ATTRIBUTE.dim],
  [23, ATTRIBUTE.italic],
  [24, ATTRIBUTE.underline],
  [27, ATTRIBUTE.inverse],
  [29, ATTRIBUTE.strike],
])
const MAX_STYLES = 0xffff
const MAX_MEMO = 4096

/**
 * Styles as small numbers, so that cells compare and copy quickly; id 0 is {@link PLAIN}. One table belongs to one
 * compositor. SGR as in ECMA-48 section 8.3.117 and ISO 8613-6 colours.
 */
export class StyleTable {
  private readonly styles: CellStyle[] = [PLAIN]
  private readonly ids = new Map<string, number>([[keyOf(PLAIN), 0]])
  private readonly idOfObject = new WeakMap<CellStyle, number>()
  private readonly sgrMemo = new Map<string, number>()
  private readonly transitionMemo = new Map<number, string>()

  /** Id of a style, the same for equal styles. A flood of styles (over 65535) falls back to plain. */
  intern(style: CellStyle): number {
    const known = this.idOfObject.get(style)
    if (known !== undefined) return known
    const key = keyOf(style)
    let id = this.ids.get(key)
    if (id === undefined) {
      if (this.styles.length >= MAX_STYLES) return 0
      id = this.styles.length
      this.styles.push(style)
      this.ids.set(key, id)
    }
    this.idOfObject.set(style, id)
    return id
  }

  /** Style of an id that {@link intern} gave. */
  styleOf(id: number): CellStyle {
    return this.styles[id] ?? PLAIN
  }

  /** Style id after the SGR parameters (`1;31`) are applied to another. */
  applySgr(id: number, parameters: string): number {
    const key = `${id};${parameters}`
    let next = this.sgrMemo.get(key)
    if (next === undefined) {
      next = this.intern(styleAfter(this.styleOf(id), parameters))
      if (this.sgrMemo.size >= MAX_MEMO) this.sgrMemo.clear()
      this.sgrMemo.set(key, next)
    }
    return next
  }

  /** Shortest SGR sequence that leads from one style to another; empty when they are the same. */
  transition(from: number, to: number): string {
    if (from === to) return ''
    const key = from * (MAX_STYLES + 1) + to
    let sequence = this.transitionMemo.get(key)
    if (sequence === undefined) {
      const fresh = freshSgr(this.styleOf(to))
      const change = changeSgr(this.styleOf(from), this.styleOf(to))
      sequence = change.length < fresh.length ? change : fresh
      if (this.transitionMemo.size >= MAX_MEMO) this.transitionMemo.clear()
      this.transitionMemo.set(key, sequence)
    }
    return sequence
  }
}

function keyOf(style: CellStyle): string {
  return `${style.fg}|${style.bg}|${style.attributes}`
}

function styleAfter(style: CellStyle, parameters: string): CellStyle {
  let { fg, bg, attributes } = style
  const codes = parameters === '' ? [0] : parameters.split(/[;:]/).map(Number)
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0
    if (code === 0) {
      fg = ''
      bg = ''
      attributes = 0
    } else if (code === 38 || code === 48) {
      const length = codes[index + 1] === 2 ? 5 : 3
      const colour = codes.slice(index, index + length).join(';')
      if (code === 38) fg = colour
      else bg = colour
      index += length - 1
    } else if (code === 39) fg = ''
    else if (code === 49) bg = ''
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) fg = String(code)
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) bg = String(code)
    else attributes = (attributes | (BIT_OF_SGR.get(code) ?? 0)) & ~(CLEARED_BY.get(code) ?? 0)
  }
  return { fg, bg, attributes }
}

function onCodes(attributes: number): string[] {
  return ATTRIBUTE_SGR.filter(([bit]) => (attributes & bit) !== 0).map(([, on]) => on)
}

function freshSgr(to: CellStyle): string {
  const codes = [...onCodes(to.attributes), to.fg, to.bg].filter((code) => code !== '')
  return codes.length === 0 ? '\x1b[m' : `\x1b[0;${codes.join(';')}m`
}

function changeSgr(from: CellStyle, to: CellStyle): string {
  const codes: string[] = []
  const off = from.attributes & ~to.attributes
  let on = to.attributes & ~from.attributes
  for (const [code, bits] of CLEARED_BY) {
    if ((off & bits) === 0) continue
    codes.push(String(code))
    on |= to.attributes & bits
  }
  codes.push(...onCodes(on))
  if (from.fg !== to.fg) codes.push(to.fg || '39')
  if (from.bg !== to.bg) codes.push(to.bg || '49')
  return `\x1b[${codes.join(';')}m`
}
