import { describe, expect, it } from 'vitest'
import { parseSelection } from '../../../src/fleet/node-selection.ts'
import type { NodeView } from '../../../src/fleet/view.ts'

const NODES = [
  { key: 'press-1', site: 'plant-a' },
  { key: 'press-10', site: 'plant-a' },
  { key: 'press-2', site: 'plant-b' },
  { key: 'mill-1' },
]

function chosen(...texts: string[]): string[] {
  const parsed = parseSelection(texts)
  if (!parsed.ok) throw new Error(parsed.message)
  return NODES.filter((node) => parsed.selection.holds(node, null)).map(({ key }) => key)
}

describe('parseSelection', () => {
  it('takes names as they are, adds them up, and knows wild ones', () => {
    expect(chosen('press-1')).toEqual(['press-1'])
    expect(chosen('press-1', 'mill-1')).toEqual(['press-1', 'mill-1'])
    expect(chosen('press-2,mill-1')).toEqual(['press-2', 'mill-1'])
    expect(chosen('press-*')).toEqual(['press-1', 'press-10', 'press-2'])
    expect(chosen('p*s-1*')).toEqual(['press-1', 'press-10'])
    expect(chosen('*')).toHaveLength(4)
    expect(chosen('press-1*1')).toEqual([])
  })

  it('narrows by terms, which all must match', () => {
    expect(chosen('site=plant-a')).toEqual(['press-1', 'press-10'])
    expect(chosen('site=plant')).toEqual([])
    expect(chosen('site:plant')).toEqual(['press-1', 'press-10', 'press-2'])
    expect(chosen('press-* site:plant-a !press-10')).toEqual(['press-1'])
    expect(chosen('press-1 press-2 site=plant-b')).toEqual(['press-2'])
    expect(chosen('!site=plant-a')).toEqual(['press-2'])
    expect(chosen('name:mill')).toEqual(['mill-1'])
  })

  it('asks only those nodes of which the list does not tell', () => {
    const parsed = parseSelection(['site=plant-a'])
    if (!parsed.ok) throw new Error(parsed.message)
    expect(NODES.map((node) => parsed.selection.tells(node))).toEqual([true, true, true, false])
    const view = { site: 'plant-a' } as NodeView
    expect(parsed.selection.holds({ key: 'mill-1' }, view)).toBe(true)
    const figures = parseSelection(['press-1', 'cpu>80'])
    if (!figures.ok) throw new Error(figures.message)
    expect(NODES.map((node) => figures.selection.mayHold(node))).toEqual([true, false, false, false])
    expect(figures.selection.holds(NODES[0] ?? { key: '' }, { cpuPct: 81 } as NodeView)).toBe(true)
    expect(figures.selection.holds(NODES[0] ?? { key: '' }, { cpuPct: 80 } as NodeView)).toBe(false)
  })

  it('says what it does not understand, and that all nodes are to be said in words', () => {
    expect(parseSelection([' '])).toEqual({ ok: false, message: 'no node is chosen' })
    expect(parseSelection(['colour:red'])).toMatchObject({
      ok: false,
      message: expect.stringContaining('"colour" is no field'),
    })
    expect(parseSelection(['site='])).toMatchObject({ ok: false, message: 'site= wants a text behind it' })
  })
})
