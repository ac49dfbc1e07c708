import { Writable } from 'node:stream'
import { toAscii } from './ascii.ts'
import { Grid } from './cells.ts'
import { lowerStyle } from './colour.ts'
import { diff } from './diff.ts'
import { type Pane, PaneLayer } from './pane-layer.ts'
import { scrollMovedRows } from './scroll.ts'
import { putSgrLine } from './sgr.ts'
import { type ColourDepth, StyleTable } from './style.ts'

/** Background that Ink fills a canvas with; cells that carry it belong to the pane that lies there. */
export const HOLE_COLOUR = '#010203'
const HOLE_SGR = '48;2;1;2;3'
const BEGIN_SYNC = '\x1b[?2026h'
const END_SYNC = '\x1b[?2026l'

/** The terminal as the compositor needs it; `process.stdout` is one. */
export interface Screen {
  readonly columns?: number
  readonly rows?: number
  write(data: string): boolean
  on(event: 'resize' | 'drain', listener: () => void): unknown
  off(event: 'resize' | 'drain', listener: () => void): unknown
}

/** What the owner of an attached pane holds. */
export interface PaneHandle {
  /** The pane has something new to show; many calls make one frame. */
  invalidate(): void
  /** Take the pane off the screen. */
  detach(): void
}

/** How a compositor is made. */
export interface CompositorOptions {
  readonly screen: Screen
  readonly depth: ColourDepth
  /** The terminal's font has ASCII alone. */
  readonly ascii?: boolean
}

/**
 * Stands between Ink and the terminal: Ink (with `debug: true`) writes whole frames to it as to its `stdout`, panes
 * paint into the holes that Ink left for them, and only cells that changed go out, inside synchronized output (DEC mode
 * 2026). Ink's dialogs lie over panes by themselves, for their cells are no holes. Terminal modes that Ink asks for are
 * swallowed: the session owns them. Nothing unsafe is ever written; see {@link Grid}.
 */
export class Compositor extends Writable {
  readonly isTTY = true
  private readonly screen: Screen
  private readonly depth: ColourDepth
  private readonly ascii: boolean
  private readonly styles = new StyleTable()
  private readonly loweredIds: number[] = []
  private readonly holeIds: boolean[] = []
  private readonly layers = new Set<PaneLayer>()
  private base = new Grid(0, 0)
  private front = new Grid(0, 0)
  private back = new Grid(0, 0)
  private frame: string[] = []
  private readonly dirtyRows = new Set<number>()
  private mustClear = true
  private hasFrame = false
  private running = false
  private scheduled = false
  private blocked = false
  private sentBytes = 0
  private sentFrames = 0

  constructor(options: CompositorOptions) {
    super({ decodeStrings: false })
    this.screen = options.screen
    this.depth = options.depth
    this.ascii = options.ascii ?? false
  }

  /** Width of the screen; at least 1. */
  get columns(): number {
    return Math.max(1, this.screen.columns || 80)
  }

  /** Height of the screen; at least 1. */
  get rows(): number {
    return Math.max(1, this.screen.rows || 24)
  }

  /** Bytes (UTF-8) and frames sent to the terminal so far. */
  get sent(): { readonly bytes: number; readonly frames: number } {
    return { bytes: this.sentBytes, frames: this.sentFrames }
  }

  /** Take the screen: from now on frames go out. */
  start(): void {
    if (this.running) return
    this.running = true
    this.screen.on('resize', this.resized)
    this.screen.on('drain', this.drained)
    this.blocked = false
    const { columns, rows } = this.back
    this.reset()
    // The window may have changed while the screen was not ours, and nobody told Ink.
    const resized = columns !== this.back.columns || rows !== this.back.rows
    if (this.hasFrame && resized) this.emit('resize')
  }

  /** Let go of the screen; nothing is written any more. It can be started again, and then paints everything. */
  stop(): void {
    this.running = false
    this.screen.off('resize', this.resized)
    this.screen.off('drain', this.drained)
  }

  /** Paint everything anew, as after another program wrote to the terminal. */
  repaint(): void {
    this.mustClear = true
    for (const layer of this.layers) layer.stale = true
    this.markAllRows()
    this.schedule()
  }

  /** Put a pane on the screen. */
  attach(pane: Pane): PaneHandle {
    const layer = new PaneLayer(pane)
    this.layers.add(layer)
    this.schedule()
    return {
      invalidate: () => {
        layer.stale = true
        this.schedule()
      },
      detach: () => {
        this.layers.delete(layer)
        layer.eachRow((row) => this.dirtyRows.add(row))
        this.schedule()
      },
    }
  }

  /** Tell the terminal something that shows nothing and moves no cursor, such as what its clipboard is to hold. */
  send(sequence: string): void {
    if (this.running) this.screen.write(sequence)
  }

  /** Write out now what is waiting, without waiting for the end of the turn. */
  flush(): void {
    if (!this.running || !this.hasFrame || this.blocked) return
    for (const layer of this.layers) if (layer.stale) layer.repaint(this.styles, (row) => this.dirtyRows.add(row))
    const rows = [...this.dirtyRows].filter((row) => row >= 0 && row < this.back.rows).sort((a, b) => a - b)
    this.dirtyRows.clear()
    for (const row of rows) this.composeRow(row)
    let sequences = ''
    if (this.mustClear) {
      this.mustClear = false
      this.front = new Grid(this.columns, this.rows)
      sequences = '\x1b[m\x1b[H\x1b[2J'
    } else {
      sequences = scrollMovedRows(this.front, this.back, rows)
    }
    sequences += diff(this.front, this.back, rows, this.styles)
    if (sequences === '') return
    const data = BEGIN_SYNC + sequences + END_SYNC
    this.sentBytes += Buffer.byteLength(data)
    this.sentFrames += 1
    this.blocked = !this.screen.write(data)
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, callback: () => void): void {
    const text = typeof chunk === 'string' ? chunk : chunk.toString('utf8')
    if (!isModesOnly(text)) this.takeFrame(text)
    callback()
  }

  private takeFrame(text: string): void {
    const lines = text.split('\n')
    for (let row = 0; row < this.base.rows; row += 1) {
      const line = lines[row] ?? ''
      if (this.frame[row] === line) continue
      this.frame[row] = line
      putSgrLine(this.base, row, line, this.styles)
      this.dirtyRows.add(row)
    }
    this.hasFrame = true
    // A new layout may have moved any pane.
    for (const layer of this.layers) layer.stale = true
    this.schedule()
  }

  /** What Ink drew in a row, with the holes filled by the panes that lie there. */
  private composeRow(row: number): void {
    const { base, back } = this
    const start = row * back.columns
    for (let column = 0; column < back.columns; column += 1) {
      const index = start + column
      const style = base.style[index] ?? 0
      const hole = style !== 0 && this.isHole(style)
      back.text[index] = hole ? ' ' : (base.text[index] ?? ' ')
      back.style[index] = hole || style === 0 ? 0 : this.lowered(style)
    }
    for (const { place, grid } of this.layers) {
      if (!place || row < place.y || row >= place.y + place.rows) continue
      const from = Math.max(0, place.x)
      const to = Math.min(back.columns, place.x + place.columns)
      for (let column = from; column < to; column += 1) {
        const under = base.style[start + column] ?? 0
        if (under === 0 || !this.isHole(under)) continue
        const source = (row - place.y) * grid.columns + (column - place.x)
        back.text[start + column] = grid.text[source] ?? ' '
        back.style[start + column] = this.lowered(grid.style[source] ?? 0)
      }
    }
    back.blankHalves(row)
    if (this.ascii) toAscii(back, row)
  }

  private isHole(style: number): boolean {
    let hole = this.holeIds[style]
    if (hole === undefined) {
      hole = this.styles.styleOf(style).bg === HOLE_SGR
      this.holeIds[style] = hole
    }
    return hole
  }

  private lowered(style: number): number {
    let id = this.loweredIds[style]
    if (id === undefined) {
      id = this.styles.intern(lowerStyle(this.styles.styleOf(style), this.depth))
      this.loweredIds[style] = id
    }
    return id
  }

  private reset(): void {
    this.base = new Grid(this.columns, this.rows)
    this.back = new Grid(this.columns, this.rows)
    this.front = new Grid(this.columns, this.rows)
    const lines = this.frame
    this.frame = []
    this.mustClear = true
    for (const layer of this.layers) layer.stale = true
    this.markAllRows()
    if (lines.length > 0) this.takeFrame(lines.join('\n'))
  }

  private readonly resized = (): void => {
    this.reset()
    this.emit('resize')
    this.schedule()
  }

  private readonly drained = (): void => {
    this.blocked = false
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private markAllRows(): void {
    for (let row = 0; row < this.rows; row += 1) this.dirtyRows.add(row)
  }
}

/** Whether a write of Ink holds nothing but terminal modes (alternate screen, cursor, keyboard). */
function isModesOnly(text: string): boolean {
  return /^(?:\x1b\[[?<>=]?[\d;]*[A-Za-z])*$/.test(text)
}
