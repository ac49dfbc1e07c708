import type { Line, Size, Span } from '../terminal/line.ts'
import type { Theme, Token } from '../theme.ts'

/** Dots that become characters; 0,0 is the upper left dot. */
export interface PlotCanvas {
  readonly dotsAcross: number
  readonly dotsDown: number
  /** Set a dot. Where dots of two meanings share a character, the later meaning colours it. */
  dot(x: number, y: number, token: Token): void
  /** Whether a dashed line has a dot in this column. */
  isThresholdDot(x: number): boolean
  /** The characters, row by row. */
  lines(theme: Theme): Line[]
}

const BRAILLE = 0x2800
// Bit of each dot of a braille character, by row then column (Unicode chapter 21.1).
const BRAILLE_BITS: readonly (readonly [number, number])[] = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
]

/** Two by four dots a character. */
export class BrailleCanvas implements PlotCanvas {
  readonly dotsAcross: number
  readonly dotsDown: number
  private readonly size: Size
  private readonly bits: Uint8Array
  private readonly tokens: (Token | undefined)[]

  constructor(size: Size) {
    this.size = size
    this.dotsAcross = size.columns * 2
    this.dotsDown = size.rows * 4
    this.bits = new Uint8Array(size.columns * size.rows)
    this.tokens = new Array<Token | undefined>(size.columns * size.rows).fill(undefined)
  }

  dot(x: number, y: number, token: Token): void {
    if (x < 0 || y < 0 || x >= this.dotsAcross || y >= this.dotsDown) return
    const index = (y >> 2) * this.size.columns + (x >> 1)
    this.bits[index] = (this.bits[index] ?? 0) | (BRAILLE_BITS[y & 3]?.[x & 1] ?? 0)
    this.tokens[index] = token
  }

  isThresholdDot(x: number): boolean {
    return x % 4 === 0
  }

  lines(theme: Theme): Line[] {
    return charactersToLines(this.size, theme, (index) => {
      const bits = this.bits[index] ?? 0
      return { text: bits === 0 ? ' ' : String.fromCharCode(BRAILLE + bits), token: this.tokens[index] }
    })
  }
}

/** Characters of the series in an ASCII chart, for its legend too. */
export const ASCII_MARKS: Partial<Record<Token, string>> = {
  series1: '*',
  series2: 'o',
  series3: '+',
  series4: 'x',
  threshold: '-',
}

/** One ASCII character a dot; each series has its own. */
export class DotCanvas implements PlotCanvas {
  readonly dotsAcross: number
  readonly dotsDown: number
  private readonly size: Size
  private readonly tokens: (Token | undefined)[]

  constructor(size: Size) {
    this.size = size
    this.dotsAcross = size.columns
    this.dotsDown = size.rows
    this.tokens = new Array<Token | undefined>(size.columns * size.rows).fill(undefined)
  }

  dot(x: number, y: number, token: Token): void {
    if (x < 0 || y < 0 || x >= this.dotsAcross || y >= this.dotsDown) return
    this.tokens[y * this.size.columns + x] = token
  }

  isThresholdDot(x: number): boolean {
    return x % 2 === 0
  }

  lines(theme: Theme): Line[] {
    return charactersToLines(this.size, theme, (index) => {
      const token = this.tokens[index]
      return { text: token === undefined ? ' ' : (ASCII_MARKS[token] ?? '*'), token }
    })
  }
}

/** Characters of one meaning that follow each other become one span. */
function charactersToLines(
  size: Size,
  theme: Theme,
  at: (index: number) => { text: string; token: Token | undefined },
): Line[] {
  return Array.from({ length: size.rows }, (_, row) => {
    const spans: Span[] = []
    let text = ''
    let current: Token = 'text'
    for (let column = 0; column < size.columns; column += 1) {
      const character = at(row * size.columns + column)
      const token: Token = character.text === ' ' ? current : (character.token ?? current)
      if (token !== current && text !== '') {
        spans.push({ text, style: theme.style(current) })
        text = ''
      }
      current = token
      text += character.text
    }
    if (text !== '') spans.push({ text, style: theme.style(current) })
    return spans
  })
}
