import type { Line, Size } from '../terminal/line.ts'
import { truncate, widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** A pane under a ruled title: `── alerts ─────`. Its title line is the same object until it says something else. */
export class Frame {
  readonly #title: string
  readonly #look: Look
  #kept: { readonly mark: string; readonly line: Line } | null = null

  constructor(title: string, look: Look) {
    this.#title = title
    this.#look = look
  }

  /** Columns that a note may take. */
  noteRoom(columns: number): number {
    return Math.max(0, columns - widthOf(truncate(this.#title, columns - 4)) - 8)
  }

  /**
   * The pane with its title; `note` stands muted after the title when there is room. What shows the past is ruled double and
   * in another colour.
   */
  around(body: (size: Size) => readonly Line[], size: Size, note = '', past = false): Line[] {
    const mark = `${size.columns} ${past} ${note}`
    if (this.#kept?.mark !== mark) this.#kept = { mark, line: this.#ruled(size.columns, note, past) }
    const rows = Math.max(0, size.rows - 1)
    return [this.#kept.line, ...body({ columns: size.columns, rows }).slice(0, rows)]
  }

  #ruled(columns: number, note: string, past: boolean): Line {
    const rule = past ? (this.#look.ascii ? '=' : '═') : this.#look.ascii ? '-' : '─'
    const token = past ? 'replayRule' : 'border'
    const out = line(this.#look.theme)
      .add(`${rule} `, token)
      .add(truncate(this.#title, columns - 4), 'title')
    if (note !== '' && out.columns + widthOf(note) + 5 < columns) out.add(`: ${note}`, 'muted')
    return out
      .add(' ')
      .add(rule.repeat(Math.max(0, columns - out.columns)), token)
      .done()
  }
}
