import type { Line, Span } from '../terminal/line.ts'
import { fitText, truncate, widthOf } from '../terminal/text.ts'
import type { Theme, Token } from '../theme.ts'

/** Builds one line of a pane span by span, in meanings instead of colours. */
export class LineBuilder {
  private readonly theme: Theme
  private readonly spans: Span[] = []
  private readonly under: readonly Token[]
  private used = 0

  constructor(theme: Theme, under: readonly Token[] = []) {
    this.theme = theme
    this.under = under
  }

  /** Columns taken so far. */
  get columns(): number {
    return this.used
  }

  /** Add text in a meaning; more meanings lie over the first. */
  add(text: string, token: Token = 'text', ...onTop: readonly Token[]): this {
    if (text === '') return this
    this.spans.push({ text, style: this.theme.style(token, ...onTop, ...this.under) })
    this.used += widthOf(text)
    return this
  }

  /** Add text cut or filled to exactly so many columns. */
  cell(text: string, columns: number, token: Token = 'text', align: 'left' | 'right' = 'left'): this {
    return this.add(fitText(text, columns, align), token)
  }

  /** Add text cut to what is left of a width. */
  rest(text: string, toColumn: number, token: Token = 'text'): this {
    return this.add(truncate(text, toColumn - this.used), token)
  }

  /** Fill with blanks up to a column. */
  padTo(column: number, token: Token = 'text'): this {
    return this.add(' '.repeat(Math.max(0, column - this.used)), token)
  }

  /** The line as it stands. */
  done(): Line {
    return this.spans
  }
}

/** Start a line. Meanings in `under` (such as `selection`) apply to every span of it. */
export function line(theme: Theme, ...under: readonly Token[]): LineBuilder {
  return new LineBuilder(theme, under)
}
