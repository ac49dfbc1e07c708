import { describe, expect, it } from 'vitest'
import type { Role } from '../../../protocol/rights.ts'
import { fuzzyMatch, searchPalette } from '../../../src/actions/palette.ts'
import { type ActionHandlers, runAction } from '../../../src/actions/run.ts'
import { ACTION_IDS, type ActingFor, actionOf, missingFor } from '../../../src/actions/table.ts'

const acting = (role: Role, sites: ActingFor['rights']['sites'] = '*', site = 'plant-a'): ActingFor => ({
  rights: { role, permissions: [], sites },
  site,
})

const ask = () => {
  throw new Error('nobody declared a question')
}

describe('running an action', () => {
  it('hands it to the innermost that knows it', () => {
    const ran: string[] = []
    const dialog: ActionHandlers = { 'nav.back': () => ran.push('dialog') }
    const screen: ActionHandlers = { 'nav.back': () => ran.push('screen'), 'nav.down': () => ran.push('down') }
    const context = { acting: acting('viewer'), locked: false, handlers: [dialog, screen], confirm: ask } as const
    expect(runAction('nav.back', context)).toBe('ran')
    expect(runAction('nav.down', context)).toBe('ran')
    expect(ran).toEqual(['dialog', 'down'])
  })

  it('says when nobody knows it here', () => {
    expect(runAction('logs.wrap', { acting: acting('viewer'), locked: false, handlers: [{}], confirm: ask })).toBe(
      'meaningless',
    )
  })

  it('refuses what the role does not allow, and what would change something from the past, without running it', () => {
    const handlers: ActionHandlers[] = [{ 'demo.kill': ask }]
    expect(runAction('demo.kill', { acting: acting('viewer'), locked: false, handlers, confirm: ask })).toBe(
      'forbidden',
    )
    expect(runAction('demo.kill', { acting: acting('operator'), locked: true, handlers, confirm: ask })).toBe('locked')
  })
})

describe('the right to an action', () => {
  it('is the role that it takes here, and what its verb asks of the node at its site', () => {
    expect(missingFor(actionOf('demo.slow'), acting('viewer'))).toBe('the role operator')
    expect(missingFor(actionOf('demo.slow'), acting('operator'))).toBeNull()
    expect(missingFor(actionOf('demo.slow'), acting('admin', ['plant-b']))).toBe('the site plant-a')
    expect(missingFor(actionOf('demo.slow'), { ...acting('admin', ['plant-b']), site: null })).toBeNull()
    expect(missingFor(actionOf('demo.kill'), acting('operator', ['plant-b']))).toBeNull()
    expect(missingFor(actionOf('logs.open'), acting('viewer', []))).toBeNull()
  })
})

describe('palette', () => {
  const everywhere = { contexts: ['fleet', 'demo', 'global'], acting: acting('operator') } as const

  it('lists everything that can be done here while nothing is typed', () => {
    const listed = searchPalette('', everywhere).map(({ action }) => action)
    expect(listed).toContain('logs.open')
    expect(listed).not.toContain('logs.wrap')
    expect(listed).toEqual(ACTION_IDS.filter((id) => listed.includes(id)))
    const forViewer = searchPalette('', { ...everywhere, acting: acting('viewer') })
    expect(forViewer.map(({ action }) => action)).toEqual(listed)
    expect(forViewer.find(({ action }) => action === 'demo.kill')?.missing).toBe('the role operator')
    expect(forViewer.find(({ action }) => action === 'logs.open')?.missing).toBeNull()
  })

  it.each([
    ['logs', 'logs.open'],
    ['kill', 'demo.kill'],
    ['hpd', 'nav.pageDown'],
    ['QUIT', 'app.quit'],
    ['view.sort', 'view.sort'],
    ['cut up', 'demo.cut'],
  ])('finds for %j first %s', (typed, action) => {
    expect(searchPalette(typed, everywhere)[0]?.action).toBe(action)
  })

  it('finds letters wherever they are in order, and nothing else', () => {
    expect(fuzzyMatch('og', 'Logs open')?.indexes).toEqual([1, 2])
    expect(fuzzyMatch('xyz', 'Logs open')).toBeNull()
    expect(searchPalette('zzz', everywhere)).toEqual([])
  })

  it('marks the letters that matched', () => {
    expect(searchPalette('hpd', everywhere)[0]).toMatchObject({ title: 'Half page down', matched: [0, 5, 10] })
  })
})
