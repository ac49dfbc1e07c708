import { describe, expect, it } from 'vitest'
import { activityOf } from '../../../edge-daemon/changes/slot.ts'
import { confirmedOf, pinnedDigests, wantedItem } from '../../../edge-daemon/changes/slot-state.ts'
import { leftMs } from '../../../edge-daemon/changes/slot-steps.ts'
import { activate, confirm, end, MovedSlot, revert, shadow, stage, testItem } from '../../support/slot-moves.ts'

function codeOf(act: () => unknown): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe('a change that is confirmed', () => {
  it('goes from staging over probation to what counts as good, and each step may come again', () => {
    const slot = new MovedSlot()
    for (const step of [stage('2'), stage('2')]) slot.asks(step)
    expect(activityOf(slot.state)?.kind).toBe('stage')
    slot.does({ type: 'staged' }).asks(stage('2'))
    expect(slot.phase).toBe('staged')
    for (const step of [activate(), activate()]) slot.asks(step)
    expect(slot.state.change).toMatchObject({ phase: 'activating', isMarked: true, activation: 'a1' })
    expect(wantedItem(slot.state, 'model')).toBeNull()
    slot.does({ type: 'loaded' }).asks(activate())
    expect(slot.phase).toBe('probation')
    expect(wantedItem(slot.state, 'model')).toEqual(testItem('2'))
    expect(confirmedOf(slot.state, 'model')).toBeNull()
    for (const step of [confirm(), confirm(), activate(), stage('2')]) slot.asks(step)
    expect(slot.phase).toBe('confirmed')
    expect(confirmedOf(slot.state, 'model')).toEqual(testItem('2'))
    slot.asks(end()).asks(end()).asks(confirm())
    expect(slot.state.change).toMatchObject({ phase: 'confirmed', isLocked: false })
  })

  it('can be taken back later by its own rollout, to what was there before, which stays on the disk until then', () => {
    const slot = new MovedSlot().onProbation('1').asks(confirm()).asks(end())
    slot.onProbation('2', { rollout: 'r2' }).asks(confirm('a1', 'r2')).asks(end('r2'))
    expect(pinnedDigests(slot.state)).toEqual(new Set([testItem('1').digest, testItem('2').digest]))
    slot.asks(revert('a1', 'r2'))
    expect(slot.state.change).toMatchObject({ phase: 'reverting', isLocked: true })
    expect(wantedItem(slot.state, 'model')).toEqual(testItem('1'))
    slot.does({ type: 'returned' })
    expect(slot.phase).toBe('reverted')
    expect(confirmedOf(slot.state, 'model')).toEqual(testItem('1'))
    // What another rollout did since is that one's to take back.
    expect(codeOf(() => slot.asks(revert('a1', 'r1')))).toBe('CHANGE_UNFIT')
  })
})

describe('what the node was set up with', () => {
  it('is gone back to as any other change is: on probation, confirmed by nothing being confirmed any more', () => {
    const slot = new MovedSlot().onProbation('1').asks(confirm()).asks(end())
    slot.onProbation('own', { rollout: 'r2' })
    expect(wantedItem(slot.state, 'model')).toEqual(testItem('own'))
    expect(confirmedOf(slot.state, 'model')).toEqual(testItem('1'))
    // The package stays, since the node may go back to it; what no package holds is not pinned.
    expect(pinnedDigests(slot.state)).toEqual(new Set([testItem('1').digest]))
    slot.asks(confirm('a1', 'r2')).asks(end('r2'))
    expect(slot.state.change).toMatchObject({ phase: 'confirmed', isLocked: false })
    expect([confirmedOf(slot.state, 'model'), wantedItem(slot.state, 'model')]).toEqual([null, null])
  })

  it.each([
    ['a local gate', (slot: MovedSlot) => slot.does({ type: 'gate', fault: { kind: 'errors', msg: 'all failed' } })],
    ['no confirmation', (slot: MovedSlot) => slot.pass(700_000)],
    [
      'its rollout, also once it was confirmed',
      (slot: MovedSlot) => slot.asks(confirm('a1', 'r2')).asks(revert('a1', 'r2')),
    ],
  ])('is left for the package again by %s', (_, fails) => {
    const slot = new MovedSlot().onProbation('1').asks(confirm()).asks(end())
    fails(slot.onProbation('own', { rollout: 'r2' }))
    expect(slot.phase).toBe('reverting')
    expect(wantedItem(slot.state, 'model')).toEqual(testItem('1'))
    slot.does({ type: 'returned' })
    expect(confirmedOf(slot.state, 'model')).toEqual(testItem('1'))
  })

  it('is not taken for a package of the same digest', () => {
    const slot = new MovedSlot().asks(stage('own'))
    const item = { kind: 'model' as const, name: 'digits', version: 'own', digest: testItem('own').digest }
    const args = { rollout: 'r1', term: 1, item, sources: [{ kind: 'link' as const }] }
    expect(codeOf(() => slot.asks({ verb: 'change.stage', args }))).toBe('CHANGE_UNFIT')
  })
})

describe('the arbiter', () => {
  it('refuses to confirm what was taken back, and says why', () => {
    const slot = new MovedSlot().onProbation('2').asks(revert('a1'))
    expect(codeOf(() => slot.asks(confirm('a1')))).toBe('CHANGE_UNFIT')
    slot.does({ type: 'returned' })
    expect(() => slot.asks(confirm('a1'))).toThrow(/was taken back: somebody asked/)
    // Also once it was staged and activated anew under another id.
    slot.onProbation('2', { activation: 'a2' })
    expect(codeOf(() => slot.asks(confirm('a1')))).toBe('CHANGE_UNFIT')
    expect(codeOf(() => slot.asks(activate('a1')))).toBe('CHANGE_UNFIT')
    expect(slot.asks(confirm('a2')).phase).toBe('confirmed')
  })

  it('takes a confirmation back when a revert comes after it, and does not confirm it again', () => {
    const slot = new MovedSlot().onProbation('2').asks(confirm('a1')).asks(revert('a1'))
    expect(slot.phase).toBe('reverting')
    expect(codeOf(() => slot.asks(confirm('a1')))).toBe('CHANGE_UNFIT')
    expect(confirmedOf(slot.state, 'model')).toBeNull()
  })

  it('does not let an activation come that was taken back before it arrived', () => {
    const slot = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(revert('a1'))
    expect(slot.phase).toBe('reverted')
    slot.asks(stage('2')).does({ type: 'staged' })
    expect(codeOf(() => slot.asks(activate('a1')))).toBe('CHANGE_UNFIT')
    slot.asks(activate('a2')).does({ type: 'loaded' }).asks(revert('a9'))
    expect(slot.phase).toBe('probation')
  })

  it('does not confirm when the time is over, though nobody has looked since', () => {
    const slot = new MovedSlot().onProbation('2', { withinSec: 60 })
    slot.now = { ...slot.now, upMs: slot.now.upMs + 60_000 }
    expect(codeOf(() => slot.asks(confirm()))).toBe('CHANGE_UNFIT')
    expect(slot.state.change?.fault?.kind).toBe('unconfirmed')
  })
})

describe('terms and the lock', () => {
  it('refuses a lower term of a rollout, also of one that it carries nothing of', () => {
    const slot = new MovedSlot().asks(stage('2', 'r1', 3))
    expect(codeOf(() => slot.asks(stage('2', 'r1', 2)))).toBe('TERM_STALE')
    expect(codeOf(() => slot.asks(end('r1', 2)))).toBe('TERM_STALE')
    slot.asks(end('r9', 5))
    expect(codeOf(() => slot.asks(stage('2', 'r9', 4)))).toBe('TERM_STALE')
    expect(slot.asks(end('r1', 4)).state.change).toMatchObject({ isLocked: false, term: 4, phase: 'failed' })
  })

  it('refuses the step of another rollout and names whose the node is', () => {
    const slot = new MovedSlot().asks(stage('2'))
    expect(() => slot.asks(stage('3', 'r2'))).toThrow(/of rollout r1/)
    expect(codeOf(() => slot.asks(activate('a1', 'r2')))).toBe('CHANGE_LOCKED')
    slot.asks(end('r2')).asks(revert(undefined, 'r2'))
    expect(slot.phase).toBe('staging')
    expect(slot.asks(end()).asks(stage('3', 'r2')).state.change?.rollout).toBe('r2')
  })

  it('goes back before it lets the lock of a probation go', () => {
    const slot = new MovedSlot().onProbation('2').asks(end())
    expect(slot.state.change).toMatchObject({ phase: 'reverting', isLocked: true })
    expect(codeOf(() => slot.asks(stage('3', 'r2')))).toBe('CHANGE_LOCKED')
    expect(slot.does({ type: 'returned' }).state.change).toMatchObject({ phase: 'reverted', isLocked: false })
  })

  it('brings one item a rollout', () => {
    const slot = new MovedSlot().asks(stage('2'))
    expect(codeOf(() => slot.asks(stage('3')))).toBe('CHANGE_UNFIT')
  })
})

describe('probation', () => {
  it('ends by itself when nobody confirms, whatever the wall clock does meanwhile', () => {
    const slot = new MovedSlot().onProbation('2', { withinSec: 600 })
    slot.now = { ...slot.now, wallMs: slot.now.wallMs + 86_400_000 }
    expect(slot.does({ type: 'looked' }).phase).toBe('probation')
    slot.now = { ...slot.now, wallMs: 1000 }
    expect(slot.pass(599_000).phase).toBe('probation')
    expect(leftMs(slot.state, slot.now)).toBe(1000)
    expect(slot.pass(1000).phase).toBe('reverting')
  })

  it('goes on over a restart of the daemon by the uptime of the machine', () => {
    const slot = new MovedSlot().onProbation('2', { withinSec: 600 }).does({ type: 'stopping' })
    slot.now = { ...slot.now, wallMs: 0, upMs: slot.now.upMs + 500_000 }
    slot.does({ type: 'started' })
    expect(slot.state.change).toMatchObject({ phase: 'probation', uncleanStarts: 0, isMarked: true })
    expect(slot.pass(99_000).phase).toBe('probation')
    expect(slot.pass(1000).phase).toBe('reverting')
  })

  it('counts the time that the machine was off by the wall clock, and a clock that went back gives no time back', () => {
    const off = new MovedSlot().onProbation('2', { withinSec: 600 }).boots(700_000)
    expect(off.phase).toBe('reverting')
    const back = new MovedSlot().onProbation('2', { withinSec: 600 }).pass(400_000).boots(-86_400_000)
    expect(back.phase).toBe('probation')
    expect(leftMs(back.state, back.now)).toBe(200_000)
  })

  it('goes back at the second start that does not end well, and not at the first', () => {
    const slot = new MovedSlot().onProbation('2').does({ type: 'started' })
    expect(slot.state.change).toMatchObject({ phase: 'probation', uncleanStarts: 1, isMarked: true })
    slot.does({ type: 'proven' })
    expect(slot.does({ type: 'started' }).state.change).toMatchObject({ phase: 'probation', uncleanStarts: 1 })
    expect(slot.does({ type: 'started' }).state.change).toMatchObject({ phase: 'reverting', uncleanStarts: 2 })
  })

  it('counts a daemon that dies while it loads, and a model that dies while it serves, together', () => {
    const slot = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(activate())
    slot.does({ type: 'started' })
    expect(slot.state.change).toMatchObject({ phase: 'activating', uncleanStarts: 1 })
    slot.does({ type: 'loaded' }).does({ type: 'died', msg: 'signal SIGSEGV' })
    expect(slot.state.change).toMatchObject({ phase: 'reverting', fault: { kind: 'unclean_starts' } })
  })

  it('goes back at a limit of its own, and what does not load has never served', () => {
    const slot = new MovedSlot().onProbation('2').does({ type: 'gate', fault: { kind: 'slow', msg: 'too slow' } })
    expect(slot.state.change).toMatchObject({ phase: 'reverting', fault: { kind: 'slow' } })
    const other = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(activate())
    other.does({ type: 'failed', fault: { kind: 'load', msg: 'no graph' } })
    expect(other.state.change).toMatchObject({ phase: 'failed', fault: { kind: 'load' }, isMarked: false })
    expect(codeOf(() => other.asks(confirm()))).toBe('CHANGE_UNFIT')
  })
})

describe('shadow', () => {
  it('is begun anew for another wish and after a start, and its report stays', () => {
    const slot = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(shadow(10)).asks(shadow(10))
    const first = activityOf(slot.state)?.key
    expect(first).toMatch(/^shadow /)
    expect(activityOf(slot.does({ type: 'started' }).state)?.key).toBe(first)
    expect(activityOf(slot.asks(shadow(20)).state)?.key).not.toBe(first)
    const report = {
      source: 'kept' as const,
      wanted: 20,
      isDone: true,
      compared: 20,
      agreed: 19,
      errors: 0,
      candidateMs: { count: 0, sumMs: 0, maxMs: 0, buckets: [] },
      currentMs: { count: 0, sumMs: 0, maxMs: 0, buckets: [] },
      confusion: [],
    }
    slot.does({ type: 'compared', report }).asks(shadow(20))
    expect(slot.state.change).toMatchObject({ phase: 'staged', shadow: { report } })
    expect(codeOf(() => new MovedSlot().asks(stage('2')).asks(shadow()))).toBe('CHANGE_UNFIT')
  })
})
