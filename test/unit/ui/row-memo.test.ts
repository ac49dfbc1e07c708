import { expect, it } from 'vitest'
import type { NodeView } from '../../../src/fleet/view.ts'
import { RowMemo } from '../../../src/ui/panes/row-memo.ts'

const NODE = { key: 'a', name: 'a', state: 'up', ageMs: 100, cpuPct: 20, conditions: [] } as unknown as NodeView

/** Draws one paint of one row; tells whether it was drawn anew. */
function paints(memo: RowMemo): (node: NodeView, ...how: unknown[]) => boolean {
  return (node, ...how) => {
    let drawn = false
    memo.line(node, how, () => {
      drawn = true
      return []
    })
    memo.end()
    return drawn
  }
}

it('a row that looks as before is the same line', () => {
  const paint = paints(new RowMemo())
  expect(paint(NODE, false)).toBe(true)
  expect(paint({ ...NODE, ageMs: 900, conditions: [] }, false)).toBe(false)
})

it('a row is drawn anew when a figure, its age in seconds or the cursor changed', () => {
  const paint = paints(new RowMemo())
  paint(NODE, false)
  expect(paint({ ...NODE, cpuPct: 21 }, false)).toBe(true)
  expect(paint({ ...NODE, cpuPct: 21, ageMs: 1100 }, false)).toBe(true)
  expect(paint({ ...NODE, cpuPct: 21, ageMs: 1100 }, true)).toBe(true)
})

it('a row that was out of sight for a paint is drawn anew', () => {
  const memo = new RowMemo()
  const paint = paints(memo)
  paint(NODE)
  memo.end()
  expect(paint(NODE)).toBe(true)
})
