import { useMemo } from 'react'
import type { Console } from '../console.ts'
import { Frame } from '../panes/frame.ts'
import type { Line, Size } from '../terminal/line.ts'
import { Canvas } from '../widgets/canvas.tsx'

/** What a pane of a screen is. */
export interface PaneProps {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  /** Ruled title; absent for a bare pane. */
  readonly title?: string
  /** Stands muted behind the title, where it fits into so many columns. */
  readonly note?: (room: number) => string
  /** Whether it shows a past of its own; else the one that the whole console looks at. */
  readonly isPast?: () => boolean
  readonly draw: (size: Size) => readonly Line[]
  /** Draw at most this often, for panes that change slowly and cost much; ms. */
  readonly everyMs?: number
}

/** A part of a screen that paints itself whenever the fleet or the operator's choices change. */
export function Pane({ console, columns, rows, title, note, isPast, draw, everyMs = 0 }: PaneProps) {
  const paint = useMemo(() => {
    const frame = title === undefined ? null : new Frame(title, console.parts.look)
    const { store } = console.parts
    const whole = (size: Size): readonly Line[] => {
      if (frame === null) return draw(size)
      // What is drawn may tell first what the note is about.
      const lines = draw({ ...size, rows: Math.max(0, size.rows - 1) })
      const past = store.get().replay !== null || isPast?.() === true
      return frame.around(() => lines, size, note?.(frame.noteRoom(size.columns)), past)
    }
    return everyMs === 0 ? whole : throttled(whole, everyMs, console)
  }, [console, title, note, isPast, draw, everyMs])
  if (rows <= 0 || columns <= 0) return null
  return <Canvas width={columns} height={rows} flexShrink={0} paint={paint} subscribe={console.subscribe} />
}

/** The same lines again until their time is over, unless the operator changed what is looked at. */
function throttled(draw: (size: Size) => readonly Line[], everyMs: number, console: Console) {
  let last: { readonly mark: string; readonly lines: readonly Line[] } | null = null
  return (size: Size): readonly Line[] => {
    const { asOf } = console.parts.store.get()
    // What was on its way is drawn as soon as it is there.
    const mark = `${Math.floor(console.nowMs() / everyMs)} ${asOf} ${console.isLoading()} ${size.columns}x${size.rows}`
    if (last?.mark !== mark) last = { mark, lines: draw(size) }
    return last.lines
  }
}
