import { expect, test } from 'vitest'
import { MAX_UNCLEAN_STARTS, type SlotEvent } from '../../../edge-daemon/changes/slot.ts'
import { decodeSlot } from '../../../edge-daemon/changes/slot-file.ts'
import { MEMORY, packageOf, pinnedDigests, wantedItem } from '../../../edge-daemon/changes/slot-state.ts'
import { leftMs } from '../../../edge-daemon/changes/slot-steps.ts'
import type { Item } from '../../../protocol/change.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { seededRandom } from '../../support/random.ts'
import { activate, confirm, end, MovedSlot, revert, shadow, stage, testItem } from '../../support/slot-moves.ts'

/** The last one takes its node back to what it was set up with. */
const ROLLOUTS = ['r1', 'r2', 'r3']
const OWN = 'r3'
const LIVES = 120
const MOVES = 120
const REFUSALS = ['TERM_STALE', 'CHANGE_LOCKED', 'CHANGE_UNFIT']

/** A slot that lives through steps of rollouts, losses of power, clocks that jump and models that fail, in any order. */
class Life {
  readonly slot = new MovedSlot()
  readonly #random: () => number
  /** Activations that somebody has made up. */
  #made = 1
  #moves = 0
  /** Items that came to the node whole, and the highest term by rollout. */
  readonly staged = new Set<string>()
  readonly terms = new Map<string, number>()
  /** What was decided of an activation that was let in. */
  readonly outcomes = new Map<string, 'confirmed' | 'reverted'>()

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  move(): void {
    const before = this.slot.state
    const held = this.slot.state.change?.rollout
    const rollout = held !== undefined && this.#random() < 0.75 ? held : this.#one(ROLLOUTS)
    // Mostly the activation that is here.
    const own = this.slot.state.change?.activation ?? null
    const activation = own !== null && this.#random() < 0.7 ? own : `a${Math.floor(this.#random() * this.#made)}`
    // Mostly the driver of now, sometimes one that was replaced or that takes over.
    const known = this.terms.get(rollout) ?? 1
    const term = this.#random() < 0.8 ? known : Math.max(1, known - 1 + Math.floor(this.#random() * 3))
    const item = itemOf(rollout)
    const { slot } = this
    try {
      if (this.#random() < 0.3) {
        this.#goOn(rollout, term)
        this.#hold(before)
        return
      }
      switch (Math.floor(this.#random() * 20)) {
        case 0:
        case 1:
          slot.asks(stage(item, rollout, term))
          break
        case 2:
          slot.asks(shadow(1 + Math.floor(this.#random() * 3), rollout, term))
          break
        case 3:
        case 4:
          if (this.#random() < 0.8) this.#made += 1
          slot.asks(activate(this.#random() < 0.8 ? `a${this.#made}` : activation, rollout, 60, term))
          break
        case 5:
        case 16:
        case 17:
          slot.asks(confirm(activation, rollout, term))
          break
        case 6:
          slot.asks(revert(this.#random() < 0.5 ? activation : undefined, rollout, term))
          break
        case 7:
          slot.asks(end(rollout, term))
          break
        case 8:
          if (this.#random() < 0.4) slot.boots((this.#random() - 0.3) * 100_000)
          break
        case 9:
          if (this.#random() < 0.7) slot.does({ type: 'stopping' })
          slot.does({ type: 'started' })
          break
        case 10:
          slot.now = { ...slot.now, wallMs: Math.max(0, slot.now.wallMs + (this.#random() - 0.5) * 1e9) }
          break
        case 11:
          slot.pass(this.#random() * 20_000)
          break
        default:
          slot.does(this.#event())
      }
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      holds(`${error.code} is a refusal`, REFUSALS.includes(error.code))
      return
    }
    this.#hold(before)
  }

  /** What a rollout that goes well would do next. */
  #goOn(rollout: string, term: number): void {
    const { slot } = this
    const { phase, isLocked = false, activation } = slot.state.change ?? {}
    switch (phase) {
      case 'staging':
        this.staged.add(slot.state.change?.item.digest ?? '')
        slot.does({ type: 'staged' })
        break
      case 'staged':
        this.#made += 1
        slot.asks(activate(`a${this.#made}`, rollout, 60, term))
        break
      case 'activating':
        slot.does({ type: 'loaded' })
        break
      case 'probation':
        slot.asks(confirm(activation ?? '', rollout, term))
        break
      case 'reverting':
        slot.does({ type: 'returned' })
        break
      default:
        slot.asks(isLocked ? end(rollout, term) : stage(itemOf(rollout), rollout, term))
    }
  }

  #event(): SlotEvent {
    const fault = { kind: 'errors' as const, msg: 'too many failed' }
    const events: SlotEvent[] = [
      ...Array.from({ length: 6 }, () => ({ type: 'staged' }) as const),
      ...Array.from({ length: 6 }, () => ({ type: 'loaded' }) as const),
      { type: 'proven' },
      { type: 'returned' },
      { type: 'returned' },
      { type: 'failed', fault },
      { type: 'died', msg: 'signal SIGKILL' },
      { type: 'gate', fault },
      { type: 'proven' },
      { type: 'looked' },
    ]
    const event = this.#one(events)
    if (event.type === 'staged' && this.slot.phase === 'staging') {
      this.staged.add(this.slot.state.change?.item.digest ?? '')
    }
    return event
  }

  /** What holds after every move; few assertions, since there are many moves. */
  #hold(before: MovedSlot['state']): void {
    const { state, now } = this.slot
    const { change } = state
    this.#moves += 1
    // What is kept can be read again, and is bounded.
    if (this.#moves % 8 === 0) expect(decodeSlot(JSON.stringify(state))).toMatchObject({ ok: true })
    const pinned = pinnedDigests(state)
    // Nothing serves that did not come whole, or that may be removed from the disk.
    const wanted = wantedItem(state, 'model')
    if (wanted !== null) {
      const isKept = packageOf(wanted) === null || pinned.has(wanted.digest)
      holds('it serves what came whole and is kept', this.staged.has(wanted.digest) && isKept)
    }
    const [confirmed] = state.confirmed
    if (confirmed !== undefined) holds('what counts as good is kept', pinned.has(confirmed.digest))
    holds('what it was set up with is no package', !pinned.has(testItem('own').digest))
    holds('what it was set up with is confirmed as nothing', confirmed?.version !== 'own')
    // What counts as good changes by a confirmation or its revert alone, and is then one of the two.
    if (confirmed?.digest !== before.confirmed[0]?.digest) {
      const counts = (item: Item): string | undefined => packageOf(item) ?? undefined
      const isConfirmed = change?.phase === 'confirmed' && counts(change.item) === confirmed?.digest
      const isTakenBack =
        change?.phase === 'reverting' &&
        change.before?.digest === confirmed?.digest &&
        before.confirmed[0]?.digest === counts(change.item)
      holds('what counts as good changes by a word on it', isConfirmed || isTakenBack)
    }
    // On probation the lock is held and the time runs, never longer than it was given.
    if (change?.phase === 'probation' || change?.phase === 'activating') {
      holds('the lock is held', change.isLocked)
      holds('it goes back in time', change.uncleanStarts < MAX_UNCLEAN_STARTS)
      const left = leftMs(state, now)
      if (change.phase === 'probation') holds('its time runs', left !== null && left > 0 && left <= 60_000)
    }
    // A term never falls; an activation that was taken back is never confirmed.
    for (const { rollout, term } of state.terms) {
      holds('a term never falls', term >= (this.terms.get(rollout) ?? 0))
      this.terms.set(rollout, term)
    }
    holds('outcomes are bounded', state.ended.length <= MEMORY.ended)
    for (const { rollout, activation, outcome } of state.ended) {
      const key = `${rollout} ${activation}`
      holds('what was taken back stays so', this.outcomes.get(key) !== 'reverted' || outcome === 'reverted')
      this.outcomes.set(key, outcome)
    }
  }

  #one<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)] as T
  }
}

function itemOf(rollout: string): string {
  return rollout === OWN ? 'own' : `${rollout}-item`
}

function holds(law: string, isSo: boolean): void {
  if (!isSo) expect.fail(law)
}

test('whatever comes in whatever order, nothing serves that is not whole, kept and decided', () => {
  const phases = new Set<string | null>()
  let confirmations = 0
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const life = new Life(seed)
    for (let move = 0; move < MOVES; move += 1) {
      life.move()
      phases.add(life.slot.phase)
    }
    confirmations += [...life.outcomes.values()].filter((outcome) => outcome === 'confirmed').length
    // Left alone, with a clock that stands or jumps, it comes to rest: no probation lasts for ever.
    const { slot } = life
    for (let minute = 0; minute < 3; minute += 1) {
      slot.now = { ...slot.now, upMs: slot.now.upMs + 31_000 }
      slot.does({ type: 'loaded' }).does({ type: 'looked' })
    }
    slot.does({ type: 'returned' })
    expect(['probation', 'activating', 'reverting']).not.toContain(slot.phase)
  }
  expect(confirmations).toBeGreaterThan(LIVES / 10)
  expect(phases).toEqual(
    new Set([
      null,
      'staging',
      'staged',
      'shadowing',
      'activating',
      'probation',
      'confirmed',
      'reverting',
      'reverted',
      'failed',
    ]),
  )
})

test('forgets the rollout that it heard longest ago, and never the one whose change it carries', () => {
  const slot = new MovedSlot().asks(stage('mine', 'r1', 7))
  for (let n = 0; n < MEMORY.terms * 2; n += 1) slot.asks(end(`other-${n}`, 2))
  expect(slot.state.terms).toHaveLength(MEMORY.terms)
  expect(() => slot.asks(stage('mine', 'r1', 6))).toThrow(/term 7/)
  expect(slot.state.change?.item).toEqual(testItem('mine'))
})
