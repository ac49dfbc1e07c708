import { afterEach, expect, test } from 'vitest'
import { safe } from '../../../src/fleet/clean.ts'
import type { PackageOffer, PackageOffers } from '../../../src/ui/rollouts/face.ts'
import { modelItem } from '../../support/change-status.ts'
import { START_MS } from '../../support/console-screen.ts'
import { closeRolloutScreens, openRolloutScreen, openRolloutStory, pressEscape } from '../../support/rollout-screen.ts'
import { ID, OFFERS, planFor } from '../../support/rollout-story.ts'

afterEach(closeRolloutScreens)

test('a place that answers late or not at all holds nobody up, and the cursor stays on its package', async () => {
  const late = Promise.withResolvers<PackageOffers>()
  const newest = { ...OFFERS.offers[0], item: modelItem('2.1.0'), sinceMs: START_MS } as PackageOffer
  const local = { ...newest, item: modelItem('3.0.0-rc1'), sinceMs: null, push: safe('push it first') }
  const { screen } = await openRolloutScreen({ columns: 80, rows: 24 }, [], planFor, undefined, [
    { name: safe('bucket packages'), read: () => late.promise },
    { name: safe('bucket east'), read: () => Promise.reject(new Error('no answer in 5 s')) },
    { name: safe('the nodes'), read: async () => ({ ...OFFERS, offers: [...OFFERS.offers, local] }) },
  ])
  await screen.type('u')
  await screen.saying('still reading bucket packages; what is known can be chosen')
  expect(screen.emulator.screen()).toContain('bucket east cannot be read: no answer in 5 s')
  expect(screen.emulator.screen()).toMatch(/digits 2\.0\.0 +model +1\.2 MB +2h 0m +release key +│/)
  expect(screen.emulator.screen()).toContain('enter shows the plan, nothing happens yet; esc closes; type to search')
  await screen.type('\x1b[B')
  expect(screen.emulator.screen()).toContain('▶ digits 1.1.0')
  late.resolve({ offers: [newest], faults: [] })
  await screen.saying('digits 2.1.0')
  expect(screen.emulator.screen()).toContain('▶ digits 1.1.0')
  expect(screen.emulator.screen()).not.toContain('still reading')
  await screen.type('\x1b[B')
  expect(screen.emulator.screen()).toContain('▶ digits 3.0.0-rc1')
  expect(screen.emulator.screen()).toContain('push it first')
  await screen.type('\x1b[A\r')
  await screen.saying('plan: digits 1.1.0 to 1 node')
})

test('esc goes back one step with all that was chosen, and closes the first; ctrl-c leaves all of them', async () => {
  const { screen, service } = await openRolloutScreen()
  await screen.type('  u')
  await screen.type('2.0')
  expect(screen.emulator.screen()).toContain('esc closes')
  await screen.type('\r')
  await screen.type('jl')
  expect(screen.emulator.screen()).toMatch(/watch each wave +◂ 5m 0s/)
  expect(screen.emulator.screen()).toContain('esc goes back')
  await screen.type('\r')
  await screen.type('reads better')
  expect(screen.emulator.screen()).toContain('enter begins; esc goes back')
  await pressEscape(screen)
  await screen.until(/watch each wave +◂ 5m 0s/)
  await screen.type('\r')
  expect(screen.emulator.screen()).toContain('> reads better')
  await pressEscape(screen)
  await screen.until('plan: digits')
  await screen.type('f')
  await screen.type('canary.yaml')
  await pressEscape(screen)
  await screen.until('all else as the defaults have it')
  await pressEscape(screen)
  await screen.until(/roll out to 2 nodes: what\?[\s\S]* 2\.0█/)
  expect(screen.emulator.screen()).toContain('▶ digits 2.0.0')
  await screen.type('\r')
  expect(screen.emulator.screen()).toMatch(/watch each wave +◂ 5m 0s/)
  await screen.type('\r')
  await screen.type('\x03')
  await screen.until(/^(?!.*(?:begin: digits|watch each wave))/s)
  expect(screen.hasQuit).toBe(false)
  await screen.type('u')
  expect(screen.emulator.screen()).toContain('roll out to 2 nodes: what?')
  await pressEscape(screen)
  await screen.until(/^(?!.*what\?)/s)
  expect(await service.list()).toEqual([])
})

test('esc leaves the plan of an undo, which was the first step', async () => {
  const { screen, service } = await openRolloutStory()
  await service.say(ID, { type: 'rollout.ended', term: 2, outcome: 'done', exceptions: [] })
  await screen.until(/^(?!.*rollout digits)/s)
  await screen.type('U\r')
  await screen.saying('● done')
  await screen.type('u')
  await screen.saying('plan: undo digits 2.0.0')
  expect(screen.emulator.screen()).toContain('esc closes')
  await pressEscape(screen)
  await screen.until(/^(?!.*plan: undo)/s)
})
