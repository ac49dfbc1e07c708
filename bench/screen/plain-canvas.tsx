import { Box, type BoxProps, Text } from 'ink'
import { createContext, memo, useEffect, useReducer } from 'react'
import type { Line, Size } from '../../src/ui/terminal/line.ts'
import { StyleTable } from '../../src/ui/terminal/style.ts'

/** Nothing is provided: there is no compositor. */
export const CompositorContext = createContext<null>(null)

/** As the console's own canvas. */
export interface CanvasProps extends Omit<BoxProps, 'backgroundColor' | 'children'> {
  readonly paint: (size: Size) => readonly Line[]
  readonly subscribe?: (repaint: () => void) => () => void
}

/**
 * What stands in for the console's canvas in the plain contender: the same lines of the same pane, each an Ink `<Text>`
 * that React skips while its text stays the same. Colours are in the text, the cheapest way that Ink has.
 */
export function Canvas({ paint, subscribe, ...box }: CanvasProps) {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => subscribe?.(redraw), [subscribe])
  const { width, height } = box
  if (typeof width !== 'number' || typeof height !== 'number') throw new Error('a canvas has a size in cells')
  const lines = paint({ columns: width, rows: height }).slice(0, height)
  return (
    <Box flexDirection="column" {...box}>
      {lines.map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
        <Row key={row} text={sgrText(line)} />
      ))}
    </Box>
  )
}

const Row = memo(function Row({ text }: { readonly text: string }) {
  return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>
})

const styles = new StyleTable()

function sgrText(line: Line): string {
  let text = ''
  let style = 0
  for (const span of line) {
    const next = styles.intern(span.style)
    text += styles.transition(style, next) + span.text
    style = next
  }
  return text + styles.transition(style, 0)
}
