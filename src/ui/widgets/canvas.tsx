import '../terminal/full-colour.ts'
import { Box, type BoxProps, type DOMElement, measureElement } from 'ink'
import { createContext, useContext, useEffect, useLayoutEffect, useRef } from 'react'
import { type Compositor, HOLE_COLOUR, type PaneHandle } from '../terminal/compositor.ts'
import type { Line, Size } from '../terminal/line.ts'

/** The compositor that is Ink's `stdout`; provided once at the root of the application. */
export const CompositorContext = createContext<Compositor | null>(null)

/** What a canvas shows and when it changes; all other properties are those of a Box without children. */
export interface CanvasProps extends Omit<BoxProps, 'backgroundColor' | 'children'> {
  /** Draw the pane at its present size. Called outside React. */
  readonly paint: (size: Size) => readonly Line[]
  /** Ask to be told of changes; the answer ends it. Keep it the same function between renders. */
  readonly subscribe?: (repaint: () => void) => () => void
}

/**
 * A box that Ink lays out and the compositor paints: a change of data costs no render. The module that starts Ink must
 * have `import './terminal/full-colour.ts'` as its first line, before anything that imports Ink.
 */
export function Canvas({ paint, subscribe, ...box }: CanvasProps) {
  const compositor = useContext(CompositorContext)
  if (!compositor) throw new Error('a Canvas needs a CompositorContext above it')
  const element = useRef<DOMElement>(null)
  const painter = useRef(paint)
  const handle = useRef<PaneHandle>(null)

  useLayoutEffect(() => {
    const attached = compositor.attach({
      place: () => {
        if (!element.current) return null
        const { x, y, width, height } = measureElement(element.current)
        return { x: Math.round(x), y: Math.round(y), columns: Math.round(width), rows: Math.round(height) }
      },
      paint: (size) => painter.current(size),
    })
    handle.current = attached
    return () => attached.detach()
  }, [compositor])

  useLayoutEffect(() => {
    painter.current = paint
    handle.current?.invalidate()
  })

  useEffect(() => subscribe?.(() => handle.current?.invalidate()), [subscribe])

  return <Box ref={element} {...box} backgroundColor={HOLE_COLOUR} />
}
