import { describe, expect, it, vi } from 'vitest'
import { runAction } from '../../../src/actions/run.ts'

// No action of this issue destroys anything yet; the guard is tested with one that is said to.
vi.mock('../../../src/actions/table.ts', async (importOriginal) => {
  const table = await importOriginal<typeof import('../../../src/actions/table.ts')>()
  return { ...table, actionOf: (id: 'demo.kill') => ({ ...table.actionOf(id), danger: 'destructive' }) }
})

describe('a destructive action', () => {
  it('runs only after a yes', () => {
    const ran: string[] = []
    const asked: { question: string; then: () => void }[] = []
    const outcome = runAction('demo.kill', {
      acting: { rights: { role: 'operator', permissions: [], sites: '*' }, site: null },
      locked: false,
      handlers: [{ 'demo.kill': () => ran.push('killed') }],
      confirm: (question, then) => asked.push({ question, then }),
    })
    expect(outcome).toBe('asked')
    expect(ran).toEqual([])
    expect(asked[0]?.question).toMatch(/^Kill \/ revive node\? /)
    asked[0]?.then()
    expect(ran).toEqual(['killed'])
  })
})
