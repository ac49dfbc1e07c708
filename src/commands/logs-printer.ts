import { gapText } from '../fleet/gap-text.ts'
import type { LogStyle } from './logs-style.ts'
import { logRowAsJson, logRowAsText, type PrintedLog, type TextStyle, timeTexts } from './logs-text.ts'
import type { CommandIo } from './output.ts'
import { writePatiently } from './patient-output.ts'

/** Prints rows as they come: a slow reader slows whoever prints, and nothing gathers. */
export class LogPrinter {
  readonly #style: TextStyle & Pick<LogStyle, 'format'>
  readonly #io: CommandIo
  #count = 0

  constructor(style: LogStyle & { readonly colour: boolean }, io: CommandIo) {
    this.#style = { ...style, timeText: timeTexts(style.time) }
    this.#io = io
  }

  /** Resolves when the reader has room again. */
  rows(rows: readonly PrintedLog[]): Promise<void> {
    return writePatiently(this.#io, this.#textOf(rows))
  }

  /** A line between groups of lines, in the plain form. */
  async parting(): Promise<void> {
    if (this.#style.format === 'table' && this.#count > 0) await writePatiently(this.#io, '--\n')
  }

  /** All was printed. */
  async end(): Promise<void> {
    if (this.#style.format === 'json') await writePatiently(this.#io, this.#count === 0 ? '[]\n' : '\n]\n')
  }

  #textOf(rows: readonly PrintedLog[]): string {
    const { format } = this.#style
    let text = ''
    for (const row of rows) {
      switch (format) {
        case 'table':
          text += `${logRowAsText(row, this.#style)}\n`
          break
        case 'raw':
          if (row.kind === 'line') text += `${row.msg}\n`
          else this.#io.stderr.write(`edgedeck: ${row.name}: ${gapText(row)}\n`)
          break
        case 'ndjson':
          text += `${JSON.stringify(logRowAsJson(row))}\n`
          break
        case 'json':
          text += `${this.#count === 0 ? '[\n' : ',\n'}  ${JSON.stringify(logRowAsJson(row))}`
      }
      this.#count += 1
    }
    return text
  }
}
