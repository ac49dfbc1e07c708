import { expect, test } from 'vitest'
import { ChangeKeeper, type ChangeKeeperOptions } from '../../../edge-daemon/changes/change-keeper.ts'
import type { ChangeKind } from '../../../edge-daemon/changes/contract.ts'
import { EMPTY_SLOT, type SlotState } from '../../../edge-daemon/changes/slot-state.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { activate, confirm, end, MovedSlot, stage, testItem } from '../../support/slot-moves.ts'

test('nothing comes of a step, and no other is judged, until the disk has it', async () => {
  const { keeper, disk, did } = await keeperOf()
  const staged = settled(keeper.step(stage('2')))
  const late = settled(keeper.step(stage('3', 'r2')))
  await eventually(() => disk.waiting === 1, { what: 'the step is being written' })
  expect([staged.is, late.is, did]).toEqual(['open', 'open', []])
  expect(keeper.status()).toBeNull()
  disk.goOn()
  await eventually(() => staged.is === 'done' && late.is === 'CHANGE_LOCKED', { what: `${staged.is}, ${late.is}` })
  await eventually(() => did.length === 1, { what: 'it is brought' })
  expect(did).toEqual(['stage 2'])
  disk.letGo()
  await keeper.stop()
})

test('a confirmation that comes while a return is being written is refused', async () => {
  const { keeper, disk } = await keeperOf()
  disk.letGo()
  await keeper.step(stage('2'))
  await eventually(() => keeper.status()?.phase === 'staged', { what: 'it is staged' })
  await keeper.step(activate())
  await eventually(() => keeper.status()?.phase === 'probation', { what: 'it is on probation' })
  disk.hold()
  const died = [keeper.died(testItem('2').digest, 'once'), keeper.died(testItem('2').digest, 'twice')]
  const confirmed = settled(keeper.step(confirm()))
  await eventually(() => disk.waiting === 1, { what: 'the first death is being written' })
  disk.letGo()
  await Promise.all(died)
  await eventually(() => confirmed.is !== 'open', { what: 'it is answered' })
  expect(confirmed.is).toBe('CHANGE_UNFIT')
  await eventually(() => keeper.status()?.phase === 'reverted', { what: 'it went back' })
  await keeper.stop()
})

test('a step that the disk refuses changes nothing, and the next one is taken', async () => {
  const { keeper, disk, did } = await keeperOf()
  disk.letGo()
  disk.refuses = true
  await expect(keeper.step(stage('2'))).rejects.toThrow('the disk is full')
  expect([keeper.status(), did]).toEqual([null, []])
  disk.refuses = false
  expect(await keeper.step(stage('2'))).toMatchObject({ phase: 'staging' })
  expect(await keeper.step(end())).toMatchObject({ isLocked: false })
  await keeper.stop()
})

test('an orderly end is written behind all that was on its way', async () => {
  const { keeper, disk } = await keeperOf()
  const step = keeper.step(stage('2'))
  const stopped = settled(keeper.stop())
  await eventually(() => disk.waiting === 1, { what: 'the step is being written' })
  expect(stopped.is).toBe('open')
  disk.letGo()
  await step
  await eventually(() => stopped.is === 'done', { what: 'it has stopped' })
  expect(disk.written.at(-1)?.change?.phase).toBe('staging')
})

test('what a kill broke off goes on when the node serves, and not before', async () => {
  const { state } = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(activate())
  const disk = new HeldDisk(state)
  disk.letGo()
  const { keeper, did } = await keeperOf(disk, { isStarted: false })
  await new Promise((resolve) => setImmediate(resolve))
  expect([did, keeper.status()?.phase]).toEqual([[], 'activating'])
  keeper.start()
  await eventually(() => keeper.status()?.phase === 'probation', { what: 'it serves' })
  expect(did).toEqual(['serve 2'])
  await keeper.stop()
})

/** A file whose writes wait until they are let go. */
class HeldDisk {
  refuses = false
  readonly written: SlotState[] = []
  #isHeld = true
  #waiting: (() => void)[] = []
  readonly #state: SlotState

  constructor(state = EMPTY_SLOT) {
    this.#state = state
  }

  get waiting(): number {
    return this.#waiting.length
  }

  read() {
    return { state: this.#state, damage: null }
  }

  async write(state: SlotState): Promise<void> {
    if (this.#isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.refuses) throw new Error('the disk is full')
    this.written.push(state)
  }

  /** Write what waits. */
  goOn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  hold(): void {
    this.#isHeld = true
  }

  /** Write all from now on. */
  letGo(): void {
    this.#isHeld = false
    this.goOn()
  }
}

async function keeperOf(disk = new HeldDisk(), { isStarted = true } = {}) {
  const did: string[] = []
  const model: ChangeKind = {
    stage: async ({ version }) => void did.push(`stage ${version}`),
    serve: async (item) => void did.push(`serve ${item?.version}`),
    own: () => null,
    settle: () => undefined,
    compare: null,
    watch: null,
  }
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const options: ChangeKeeperOptions = {
    file: disk,
    kinds: { model },
    prune: async () => undefined,
    counters: () => ({ requests: 0, failed: 0, slow: 0 }),
    clock: () => ({ wallMs: 1_800_000_000_000, upMs: 1_000_000, bootId: 'boot-1' }),
    log,
  }
  const keeper = new ChangeKeeper(options)
  await keeper.open()
  if (isStarted) keeper.start()
  return { keeper, disk, did }
}

/** How something stands that may not have ended: `open`, `done`, or the code that it failed with. */
function settled(work: Promise<unknown>): { is: string } {
  const found = { is: 'open' }
  work.then(
    () => {
      found.is = 'done'
    },
    (error: { code?: string }) => {
      found.is = error.code ?? 'failed'
    },
  )
  return found
}
