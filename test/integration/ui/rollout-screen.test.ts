import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { author, planOf } from '../../support/rollout-plan.ts'
import { closeRolloutScreens, openRolloutScreen, openRolloutStory, pressEscape } from '../../support/rollout-screen.ts'
import { ID, planFor, STORY } from '../../support/rollout-story.ts'

afterEach(closeRolloutScreens)

test.each([
  [80, 24, 'dark'],
  [120, 40, 'dark'],
  [200, 60, 'light'],
] as const)('the screen of a rollout at %i×%i looks as it was agreed', async (columns, rows, theme) => {
  const { screen } = await openRolloutStory({ columns, rows, theme })
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
  const { screen } = await openRolloutStory({ columns, rows })
  await screen.saying('rollout digits 2.0.0')
  await screen.pass(12)
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/rollout-fleet-${columns}x${rows}.txt`)
  await screen.type('U')
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/rollouts-${columns}x${rows}.txt`)
})

test('rollouts that cannot be read are counted with how one is told why, and the others are as they were', async () => {
  const { screen, dir } = await openRolloutScreen({ columns: 80, rows: 24 }, STORY)
  await screen.saying('rollout digits 2.0.0')
  for (const id of ['r0-broken', 'r1-broken']) {
    mkdirSync(join(dir, id), { recursive: true })
    writeFileSync(join(dir, id, '00000001.json'), '{}')
  }
  await screen.type('U')
  await screen.until('2 cannot be read; see edgedeck rollout explain r')
  expect(screen.emulator.screen()).toContain('digits 2.0.0')
  for (const id of ['r0-broken', 'r1-broken']) rmSync(join(dir, id), { recursive: true })
  await screen.until(/^(?![\s\S]*cannot be read)/)
  expect(screen.emulator.screen()).toContain('digits 2.0.0')
})

test('what it is, waits for and can be told stands still while lists are scrolled', async () => {
  const { screen } = await openRolloutStory({ columns: 80, rows: 24 })
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
  const { screen, service } = await openRolloutStory()
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
  const { screen, service } = await openRolloutScreen()
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
  await eventually(() => screen.hasQuit)
})

test('takes a package by its name and digest as it was typed, and a strategy from a file; says what is wrong with them', async () => {
  const { screen, service } = await openRolloutScreen()
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

test('a wave that was broken off is said to be, and its time stands still', async () => {
  const { screen, service } = await openRolloutStory({}, planFor)
  await service.say(ID, { type: 'rollout.failing', term: 2, why: 'wave-1 fails its gates' })
  await service.say(ID, { type: 'rollout.ended', term: 2, outcome: 'reverted', exceptions: [] })
  await screen.until(/^(?!.*rollout digits)/s)
  await screen.type('U\r')
  await screen.saying('✗ taken back')
  expect(screen.emulator.screen()).toMatch(/✗ \S+ +\d+ of \d+ +broken +at \d\d:\d\d/)
})

test('an undo that cannot be planned says why, and nothing is begun', async () => {
  const { screen, service } = await openRolloutStory({}, (wish) => {
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
  const { screen, service } = await openRolloutScreen({ production: true })
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
  const { screen, service } = await openRolloutStory({ standing: { ...LOCAL_STANDING, rights } })
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
  const { screen, service } = await openRolloutStory()
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
  const first = await openRolloutStory()
  const second = await openRolloutScreen({}, [], planFor, first.dir)
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
  const { screen, service } = await openRolloutScreen({ columns: 80, rows: 24 })
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
  const { screen, service } = await openRolloutScreen({ columns: 200, rows: 60 })
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
