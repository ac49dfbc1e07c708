// Node itself finds no names in this CommonJS package.
import xterm, { type Terminal } from '@xterm/headless'

/** One cell of an emulated screen. Colours are `rgb:RRGGBB`, `palette:N` or `default`. */
export interface EmulatedCell {
  readonly text: string
  readonly columns: number
  readonly fg: string
  readonly bg: string
  readonly bold: boolean
  readonly dim: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly inverse: boolean
}

/**
 * A real terminal emulator (@xterm/headless) for tests: bytes in, screen out. It is also a `Screen` for a compositor:
 * it has `columns`, `rows`, `write` and `resize` events.
 */
export class Emulator {
  readonly terminal: Terminal
  /** All that was written, for looking at raw sequences. */
  output = ''
  private readonly listeners = new Map<string, Set<() => void>>()
  private pending = 0

  constructor(columns = 80, rows = 24) {
    this.terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1000 })
  }

  get columns(): number {
    return this.terminal.cols
  }

  get rows(): number {
    return this.terminal.rows
  }

  /** Feed bytes or text. */
  write(data: string | Uint8Array): boolean {
    this.output += typeof data === 'string' ? data : Buffer.from(data).toString('utf8')
    this.pending += 1
    this.terminal.write(data, () => {
      this.pending -= 1
    })
    return true
  }

  on(event: string, listener: () => void): this {
    const set = this.listeners.get(event) ?? new Set()
    this.listeners.set(event, set.add(listener))
    return this
  }

  off(event: string, listener: () => void): this {
    this.listeners.get(event)?.delete(listener)
    return this
  }

  /** Change the size and tell listeners, as a terminal does with SIGWINCH. */
  resize(columns: number, rows: number): void {
    this.terminal.resize(columns, rows)
    for (const listener of this.listeners.get('resize') ?? []) listener()
  }

  /** Rows as text, without blanks at the end. */
  text(): string[] {
    const buffer = this.terminal.buffer.active
    return Array.from({ length: this.rows }, (_, row) => {
      return buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? ''
    })
  }

  /** The screen as one text. */
  screen(): string {
    return this.text().join('\n')
  }

  /** Whether the alternate screen is shown. */
  isAlternate(): boolean {
    return this.terminal.buffer.active.type === 'alternate'
  }

  /** One cell; 0-based. */
  cell(row: number, column: number): EmulatedCell {
    const buffer = this.terminal.buffer.active
    const cell = buffer.getLine(buffer.baseY + row)?.getCell(column)
    if (!cell) throw new RangeError(`no cell at row ${row}, column ${column}`)
    const colourOf = (value: number, isRgb: boolean, isPalette: boolean): string => {
      if (isRgb) return `rgb:${value.toString(16).padStart(6, '0')}`
      return isPalette ? `palette:${value}` : 'default'
    }
    return {
      // A cell that was never written looks like a blank.
      text: cell.getChars() || (cell.getWidth() === 1 ? ' ' : ''),
      columns: cell.getWidth(),
      fg: colourOf(cell.getFgColor(), cell.isFgRGB(), cell.isFgPalette()),
      bg: colourOf(cell.getBgColor(), cell.isBgRGB(), cell.isBgPalette()),
      bold: cell.isBold() !== 0,
      dim: cell.isDim() !== 0,
      italic: cell.isItalic() !== 0,
      underline: cell.isUnderline() !== 0,
      inverse: cell.isInverse() !== 0,
    }
  }

  /** Every cell of the screen, row by row. */
  cells(): EmulatedCell[][] {
    return Array.from({ length: this.rows }, (_, row) =>
      Array.from({ length: this.columns }, (_, column) => this.cell(row, column)),
    )
  }

  /** Wait until everything that was written is on the screen. */
  async settle(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.pending > 0) await new Promise<void>((resolve) => setTimeout(resolve, 1))
  }

  /** Wait until the screen is as wanted; fails with the screen in the message. */
  async until(wanted: (screen: string) => boolean, timeoutMs = 90_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      await this.settle()
      if (wanted(this.screen())) return
      if (performance.now() > deadline) throw new Error(`the screen never became as wanted:\n${this.screen()}`)
      await new Promise<void>((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Free the emulator. */
  dispose(): void {
    this.terminal.dispose()
  }
}
