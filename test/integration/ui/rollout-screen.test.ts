import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { findItem } from '../../../src/commands/rollout-package.ts'
import { safe } from '../../../src/fleet/clean.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import type { Plan } from '../../../src/rollout/contract.ts'
import type { RolloutWish } from '../../../src/rollout/service.ts'
import { parseStrategy } from '../../../src/rollout/strategy.ts'
import type { PackageOffer, PackageOffers, PackagePlace } from '../../../src/ui/rollouts/face.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { changeStatus, changesWith, modelItem } from '../../support/change-status.ts'
import { ConsoleScreen, type ConsoleScreenOptions, START_MS } from '../../support/console-screen.ts'
import { JournalRollouts, type Said } from '../../support/journal-rollouts.ts'
import { author, planOf } from '../../support/rollout-plan.ts'
import { ID, NODES, OFFERS, planFor, STORY } from '../../support/rollout-story.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

async function open(
  options: Partial<ConsoleScreenOptions> = {},
  story: readonly Said[] = [],
  planned: (wish: RolloutWish) => Plan = planFor,
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-rollouts-')),
  places: readonly PackagePlace[] = [{ name: safe('bucket models'), read: async () => OFFERS }],
) {
  const service = new JournalRollouts(dir, planned)
  service.nowMs = () => START_MS
  service.drivenBy = 'ben@laptop'
  await service.say(ID, ...story)
  const screen: ConsoleScreen = new ConsoleScreen({
    columns: 120,
    rows: 40,
    nodes: NODES.map((name) => ({ name })),
    rollouts: {
      service,
      places,
      find: async (typed) => {
        const item = await findItem(typed)
        const nobodySays = { sizeBytes: null, sinceMs: null, signedBy: [], push: null }
        return { item, ...nobodySays, where: safe('as typed'), sources: [{ kind: 'link' }] }
      },
      strategy: async (file) => parseStrategy('soak: 30s\nmaxSoak: 5m\npauseAfter: [canary]\n', file),
    },
    ...options,
  })
  service.nowMs = () => screen.nowMs
  endings.push(() => {
    screen.dispose()
    rmSync(dir, { recursive: true, force: true })
  })
  await screen.pass(3)
  return { screen, service, dir }
}

async function openStory(options: Partial<ConsoleScreenOptions> = {}, planned?: (wish: RolloutWish) => Plan) {
  const opened = await open(
    options,
    STORY.map((event) => ({ term: 2, ...event })),
    planned,
  )
  const served = { requests: 412, failed: 3, slow: 8 }
  opened.screen.changes.set('质检-东区-03', changesWith(changeStatus('probation', START_MS, { served })))
  return opened
}

/** A lone escape is told from the beginning of a sequence by the time after it. */
async function pressEscape(screen: ConsoleScreen): Promise<void> {
  await screen.type('\x1b')
  await new Promise((resolve) => setTimeout(resolve, 150))
  await screen.pass(1)
}

test.each([
  [80, 24, 'dark'],
  [120, 40, 'dark'],
  [200, 60, 'light'],
] as const)('the screen of a rollout at %i×%i looks as it was agreed', async (columns, rows, theme) => {
  const { screen } = await openStory({ columns, rows, theme })
  await screen.saying('rollout digits 2.0.0')
  await screen.pass(12)
  await screen.type('U\r')
  await screen.saying('driven by ben@laptop')
  for (const line of screen.emulator.text()) expect(widthOf(line)).toBeLessThanOrEqual(columns)
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/rollout-${columns}x${rows}.txt`)
})

test.each([
  [80, 24],
  [120, 40],
] as const)('rollouts and the fleet while one runs look at %i×%i as it was agreed', async (columns, rows) => {
  const { screen } = await openStory({ columns, rows })
  await screen.saying('rollout digits 2.0.0')
  await screen.pass(12)
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/rollout-fleet-${columns}x${rows}.txt`)
  await screen.type('U')
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/rollouts-${columns}x${rows}.txt`)
})

test('what it is, waits for and can be told stands still while lists are scrolled', async () => {
  const { screen } = await openStory({ columns: 80, rows: 24 })
  await screen.until('rollout digits 2.0.0')
  await screen.type('U\r')
  await screen.until('driven by ben@laptop')
  const head = screen.emulator.text().slice(2, 3)
  await screen.type('\t')
  expect(screen.emulator.screen()).toContain('decisions')
  expect(screen.emulator.screen()).toContain('node-2 is suspect')
  await screen.type('jjjjjj')
  expect(screen.emulator.screen()).not.toContain('node-2 is suspect')
  expect(screen.emulator.text()[2]?.slice(0, 30)).toBe(head[0]?.slice(0, 30))
  await screen.type('\t')
  expect(screen.emulator.screen()).toContain('over 50 ms against unchanged nodes passes: 3 of 412')
  await screen.type('\t')
  expect(screen.emulator.screen()).toMatch(/dark for 30 s since it was changed, its\s+site is not/)
  expect(screen.emulator.screen()).toMatch(/deferred node-6, plant-a/)
})

test('a decision asks once more, is written into the journal with its reason, and what is not possible says why', async () => {
  const { screen, service } = await openStory()
  await screen.until('rollout digits 2.0.0')
  await screen.type('U\r')
  await screen.until('driven by ben@laptop')
  await screen.type('a')
  expect(screen.emulator.text().at(-1)).toContain('no approve: no wave waits for approval')
  await screen.type('A')
  expect(screen.emulator.screen()).toContain('abort digits 2.0.0?')
  expect(screen.emulator.screen()).toContain('3 nodes go back to what they had')
  await pressEscape(screen)
  await screen.type('A')
  await screen.type('customer calls\r')
  await screen.until('customer calls')
  const entries = await service.journal.read(ID)
  expect(entries.at(-1)?.event).toMatchObject({ type: 'person.decided', decision: 'abort', why: 'customer calls' })
  await screen.until('◀ going back')
})

test('is begun from the marked nodes: package, plan, knobs, then it is driven from here; leaving the console asks', async () => {
  const { screen, service } = await open()
  await screen.type('      u')
  expect(screen.emulator.screen()).toContain('roll out to 6 nodes: what?')
  expect(screen.emulator.screen()).toMatch(/digits 2\.0\.0 +model +1\.2 MB +2h 0m +release key +bucket models/)
  await screen.type('2.0\r')
  expect(screen.emulator.screen()).toContain('plan: digits 2.0.0 to 6 nodes')
  expect(screen.emulator.screen()).toContain("touches 6 nodes at plant-a, 仓库, 100 % of the fleet's traffic")
  expect(screen.emulator.screen()).toMatch(/canary: 1 node at plant-a, 17 % of the fleet's traffic/)
  expect(screen.emulator.screen()).toContain('left for later, offline: node-6')
  await screen.type('jl')
  expect(screen.emulator.screen()).toMatch(/watch each wave +◂ 5m 0s/)
  expect(service.wishes.at(-1)?.strategy.soakSec).toBe(300)
  expect(service.wishes.at(-1)?.strategy.confirmWithinSec).toBeGreaterThan(
    service.wishes.at(-1)?.strategy.maxSoakSec ?? 0,
  )
  await screen.type('jh')
  expect(service.wishes.at(-1)?.strategy.shadow).toBeNull()
  await screen.type('l')
  expect(service.wishes.at(-1)?.strategy.shadow?.source).toBe('live')
  expect(await service.list()).toEqual([])
  await screen.type('\r')
  expect(screen.emulator.screen()).toContain('begin: digits 2.0.0 to 6 nodes')
  await screen.type('better sevens\r')
  await screen.until('driven here')
  const [first] = await service.journal.read(ID)
  expect(first?.event).toMatchObject({ type: 'rollout.started', why: 'better sevens' })
  await screen.type('q')
  expect(screen.hasQuit).toBe(false)
  expect(screen.emulator.screen()).toContain('a rollout is driven here')
  expect(screen.emulator.screen()).toContain('no node is on probation')
  await pressEscape(screen)
  expect(screen.hasQuit).toBe(false)
  await screen.type('q')
  await screen.type('\r')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(screen.hasQuit).toBe(true)
})

test('takes a package by its name and digest as it was typed, and a strategy from a file; says what is wrong with them', async () => {
  const { screen, service } = await open()
  await screen.type('u')
  await screen.type('digits@3.0.0')
  await screen.type('\r')
  await screen.saying('digits@3.0.0 has no digest')
  await screen.type(`#${'a'.repeat(64)}`)
  await screen.type('\r')
  await screen.saying('plan: digits 3.0.0 to 1 node')
  expect(service.wishes.at(-1)?.item).toEqual({
    kind: 'model',
    name: 'digits',
    version: '3.0.0',
    digest: 'a'.repeat(64),
  })
  await screen.type('f')
  await screen.type('canary.yaml\r')
  await screen.saying('strategy of canary.yaml')
  expect(screen.emulator.screen()).toMatch(/watch each wave +◂ 30s/)
  expect(screen.emulator.screen()).toMatch(/approval +◂ behind canary/)
})

test('a place that answers late or not at all holds nobody up, and the cursor stays on its package', async () => {
  const late = Promise.withResolvers<PackageOffers>()
  const newest = { ...OFFERS.offers[0], item: modelItem('2.1.0'), sinceMs: START_MS } as PackageOffer
  const local = { ...newest, item: modelItem('3.0.0-rc1'), sinceMs: null, push: safe('push it first') }
  const { screen } = await open({ columns: 80, rows: 24 }, [], planFor, undefined, [
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
  const { screen, service } = await open()
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
  const { screen, service } = await openStory()
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

test('a wave that was broken off is said to be, and its time stands still', async () => {
  const { screen, service } = await openStory({}, planFor)
  await service.say(ID, { type: 'rollout.failing', term: 2, why: 'wave-1 fails its gates' })
  await service.say(ID, { type: 'rollout.ended', term: 2, outcome: 'reverted', exceptions: [] })
  await screen.until(/^(?!.*rollout digits)/s)
  await screen.type('U\r')
  await screen.saying('✗ taken back')
  expect(screen.emulator.screen()).toMatch(/✗ \S+ +\d+ of \d+ +broken +at \d\d:\d\d/)
})

test('an undo that cannot be planned says why, and nothing is begun', async () => {
  const { screen, service } = await openStory({}, (wish) => {
    if (wish.undoes === null) return planFor(wish)
    throw new EdgeError('PLAN_INVALID', {
      message: `nothing to go back to behind ${wish.undoes}`,
      next: ['roll it out'],
    })
  })
  await service.say(ID, { type: 'rollout.ended', term: 2, outcome: 'done', exceptions: [] })
  await screen.until(/^(?!.*rollout digits)/s)
  await screen.type('U\r')
  await screen.saying('● done')
  await screen.type('u')
  await screen.saying(`PLAN_INVALID: nothing to go back to behind ${ID}`)
  expect(screen.emulator.screen()).not.toContain('enter goes on')
  await screen.type('\r')
  expect(screen.emulator.screen()).toContain('plan: undo digits 2.0.0')
  expect(await service.list()).toEqual([ID])
})

test('in a production context the number of nodes is typed, and why', async () => {
  const { screen, service } = await open({ production: true })
  await screen.type('  u')
  await screen.type('\r')
  await screen.type('\r')
  expect(screen.emulator.screen()).toContain('PRODUCTION context: type 2, and why')
  await screen.type('y\r')
  expect(screen.emulator.screen()).toContain('type 2 to go on')
  await screen.type('\x152\r')
  expect(screen.emulator.screen()).toContain('type why behind 2')
  expect(await service.list()).toEqual([])
  await screen.type('\x152 reads better\r')
  await screen.until('driven here')
  const [first] = await service.journal.read(ID)
  expect(first?.event).toMatchObject({ type: 'rollout.started', why: 'reads better' })
})

test('a viewer looks at rollouts and decides nothing', async () => {
  const rights = { role: 'viewer', permissions: [], sites: '*' } as const
  const { screen, service } = await openStory({ standing: { ...LOCAL_STANDING, rights } })
  await screen.until('rollout digits 2.0.0')
  await screen.type('u')
  expect(screen.emulator.text().at(-1)).toContain('Roll out needs the role operator')
  await screen.type('U\r')
  await screen.until('driven by ben@laptop')
  await screen.type('A')
  expect(screen.emulator.text().at(-1)).toContain('Abort needs the role operator')
  expect(await service.journal.read(ID)).toHaveLength(STORY.length)
})

test('says loudly that nobody drives it, and goes on with it from here when asked', async () => {
  const { screen, service } = await openStory()
  service.drivenBy = null
  await service.say(ID, { type: 'node.cleared', node: 'node-2', why: 'it answers again' })
  await screen.until('NOBODY DRIVES IT')
  await screen.type('U\r')
  await screen.until('no driver')
  await screen.type('D')
  expect(screen.emulator.screen()).toContain('drive digits 2.0.0?')
  await screen.type('\r')
  await screen.until('driven here')
})

test('two consoles over one journal see the same, and what is decided in one is seen in the other', async () => {
  const first = await openStory()
  const second = await open({}, [], planFor, first.dir)
  for (const { screen } of [first, second]) {
    await screen.until('rollout digits 2.0.0')
    await screen.type('U\r')
    await screen.until('driven by ben@laptop')
  }
  await first.screen.type('p')
  await first.screen.type('lunch\r')
  await second.screen.until('‖ paused')
  expect(second.screen.emulator.screen()).toContain('mia paused it: lunch')
  expect(second.screen.emulator.screen()).toContain('paused by mia: lunch; no new step is begun')
})

test('hundreds of nodes are shown worst first, and a filter finds them', async () => {
  const many = Array.from({ length: 300 }, (_, at) => `cam-${String(at).padStart(3, '0')}`)
  const { screen, service } = await open({ columns: 80, rows: 24 })
  const large = planOf({ canary: ['cam-000'], 'wave-1': many.slice(1) }, { rollout: ID })
  service.drivenBy = 'ben@laptop'
  await service.say(
    ID,
    { type: 'rollout.started', plan: large, by: author('mia'), why: null },
    { type: 'driver.took', holder: 'ben@laptop' },
  )
  await service.say(ID, { type: 'node.suspected', node: 'cam-250', why: 'dark' })
  await screen.until('rollout digits 2.0.0')
  await screen.type('U\r')
  await screen.until('driven by ben@laptop')
  const lines = screen.emulator.text()
  expect(lines[lines.findIndex((text) => text.includes('STANDS')) + 1]).toContain('cam-250')
  await screen.type('/cam-17')
  expect(screen.emulator.screen()).toContain('filter "cam-17" shows 10 of 300')
  await screen.type('\r')
  await screen.type('G')
  expect(screen.emulator.screen()).toContain('cam-179')
})

test('what others wrote into a journal is shown and never executed', async () => {
  const { screen, service } = await open({ columns: 200, rows: 60 })
  service.drivenBy = 'evil\u001b]0;owned\u0007'
  const hostile = planOf({ 'ca\u001b[2Jnary': ['node-1'] }, { rollout: ID })
  await service.say(
    ID,
    { type: 'rollout.started', plan: hostile, by: author('m\u202eia'), why: '\u009b2J' },
    { type: 'rollout.paused', why: 'x\u001b[31m' },
  )
  await screen.until('rollout digits 2.0.0')
  await screen.type('U\r')
  await screen.until('paused')
  expect(screen.emulator.screen()).toContain('ca␛[2Jnary')
  expect(screen.emulator.output).not.toContain('\u202e')
  expect(screen.emulator.output).not.toContain('\u001b]0')
  expect(screen.emulator.output).not.toContain('\u009b')
})
