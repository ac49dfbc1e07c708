import type { Line } from '../terminal/line.ts'
import { clustersOf, widthOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** A labelled value; the label is muted and fills its column. */
export interface Fact {
  readonly label: string
  readonly value: string
  readonly token?: Token
}

/** A heading with its facts. */
export interface FactGroup {
  readonly title: string
  readonly facts: readonly Fact[]
}

const LABEL_COLUMNS = 13
const COLUMN_GAP = 2
/** A node may say what it likes; it does not fill the screen with it. */
const MAX_VALUE_LINES = 4
const MIN_COLUMN = 38

/** Groups side by side in as many columns as fit, each group whole, filled from the left. */
export function factLines(groups: readonly FactGroup[], look: Look, columns: number): Line[] {
  const count = Math.max(1, Math.min(groups.length, Math.floor((columns + COLUMN_GAP) / (MIN_COLUMN + COLUMN_GAP))))
  const width = Math.floor((columns - COLUMN_GAP * (count - 1)) / count)
  const drawn = groups.map((group) => groupLines(group, look, width))
  const stacks = stackEvenly(drawn, count).map((stack) => stack.flat())
  const height = Math.max(...stacks.map((stack) => stack.length))
  return Array.from({ length: height }, (_, row) => {
    const spans = stacks.flatMap((stack, index) => {
      const cells = stack[row] ?? []
      const used = cells.reduce((sum, span) => sum + widthOf(span.text), 0)
      const gap = index < stacks.length - 1 ? width + COLUMN_GAP - used : 0
      return [...cells, ...line(look.theme).padTo(gap).done()]
    })
    return spans
  })
}

function groupLines(group: FactGroup, look: Look, width: number): Line[] {
  const head = line(look.theme).rest(` ${group.title}`, width, 'header').done()
  const facts = group.facts.flatMap((fact) =>
    wrapped(fact.value, width - LABEL_COLUMNS - 1).map((part, index) =>
      line(look.theme)
        .add(' ')
        .cell(index === 0 ? fact.label : '', LABEL_COLUMNS, 'muted')
        .add(part, fact.token ?? 'text')
        .done(),
    ),
  )
  return [head, ...facts, []]
}

/** A value in as many lines as it takes: an address or an error is of no use without its end. */
function wrapped(text: string, columns: number): string[] {
  const parts = ['']
  let used = 0
  for (const cluster of clustersOf(text)) {
    if (used + cluster.columns > columns) {
      parts.push('')
      used = 0
    }
    parts[parts.length - 1] += cluster.text
    used += cluster.columns
  }
  return parts.slice(0, MAX_VALUE_LINES)
}

/** Groups in their order over so many stacks, so that the highest is as low as it can be. */
function stackEvenly(groups: readonly Line[][], count: number): Line[][][] {
  const heights = groups.map((group) => group.length)
  const total = heights.reduce((sum, height) => sum + height, 0)
  for (let limit = Math.max(Math.ceil(total / count), ...heights); ; limit += 1) {
    const stacks: Line[][][] = [[]]
    let filled = 0
    for (const [index, group] of groups.entries()) {
      const height = heights[index] ?? 0
      if (filled + height > limit) {
        stacks.push([])
        filled = 0
      }
      stacks.at(-1)?.push(group)
      filled += height
    }
    if (stacks.length <= count) return stacks
  }
}
