import type { HistoryGap, HistoryRows, HistorySource } from '../link/history-source.ts'
import { gapAsText, HISTORY_TITLES, type HistoryRecord, historyRowAsText } from './history-row.ts'
import type { CommandIo, OutputFormat } from './output.ts'
import { writePatiently } from './patient-output.ts'
import { safeJson } from './safe-json.ts'

/**
 * Prints a past as it comes, at the pace of whoever reads. As JSON each record stands whole, as it is kept, under
 * `record`, beside who kept it and where it was read. What is missing goes to stderr, in NDJSON between the records.
 */
export class ReplayPrinter {
  readonly #name: string
  readonly #format: OutputFormat
  readonly #io: CommandIo
  #first = true

  constructor(name: string, format: OutputFormat, io: CommandIo) {
    this.#name = name
    this.#format = format
    this.#io = io
  }

  begin(): Promise<void> {
    return this.#write(this.#format === 'table' ? HISTORY_TITLES : this.#format === 'json' ? '[' : '')
  }

  end(): Promise<void> {
    return this.#write(this.#format === 'json' ? (this.#first ? ']\n' : '\n]\n') : '')
  }

  rows({ kind, epoch, rows }: HistoryRows, source: HistorySource['name']): Promise<void> {
    return this.#write(
      (rows as readonly HistoryRecord[])
        .map((record) => {
          if (this.#format === 'table') return historyRowAsText(kind, record)
          return this.#json({ kind, node: this.#name, epoch, source, record })
        })
        .join(''),
    )
  }

  async gap(gap: HistoryGap, source: HistorySource['name']): Promise<void> {
    const { kind, ...what } = gap
    if (this.#format === 'ndjson') await this.#write(this.#json({ kind, node: this.#name, source, gap: what }))
    else this.#io.stderr.write(`edgedeck: ${gapAsText(gap)}\n`)
  }

  #json(value: unknown): string {
    if (this.#format === 'ndjson') return `${safeJson(value)}\n`
    const text = `${this.#first ? '' : ','}\n  ${safeJson(value)}`
    this.#first = false
    return text
  }

  #write(text: string): Promise<void> {
    return writePatiently(this.#io, text)
  }
}
