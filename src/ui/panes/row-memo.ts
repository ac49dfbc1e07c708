import type { NodeView } from '../../fleet/view.ts'
import { formatAge } from '../format.ts'
import type { Line } from '../terminal/line.ts'

interface Kept {
  readonly node: NodeView
  /** What else the line follows from; compared part by part. */
  readonly how: readonly unknown[]
  readonly line: Line
}

/**
 * The lines of a table's rows between two paints: of many nodes few have changed, and a line that is the same object is
 * not looked at again by the compositor. Holds as many rows as were drawn last.
 */
export class RowMemo {
  #kept = new Map<string, Kept>()
  #drawn = new Map<string, Kept>()

  /** The line of a node as it was, or drawn anew when something that is shown of it is different. */
  line(node: NodeView, how: readonly unknown[], draw: () => Line): Line {
    const before = this.#kept.get(node.key)
    const same =
      before !== undefined && looksSame(before.node, node) && how.every((part, at) => part === before.how[at])
    const kept = same ? before : { node, how, line: draw() }
    this.#drawn.set(node.key, kept)
    return kept.line
  }

  /** All rows of a paint are drawn: what is not among them is forgotten. */
  end(): void {
    this.#kept = this.#drawn
    this.#drawn = new Map()
  }
}

/** Ages are shown in whole seconds, conditions not at all; every other field may be in a column. */
function looksSame(a: NodeView, b: NodeView): boolean {
  if (a === b) return true
  for (const field of Object.keys(a) as (keyof NodeView)[]) {
    if (field !== 'ageMs' && field !== 'conditions' && a[field] !== b[field]) return false
  }
  return formatAge(a.ageMs) === formatAge(b.ageMs)
}
