import { describe, expect, test } from 'vitest'
import type { Chain, ChainBlock } from '../../../edge-daemon/store/contract.ts'
import { reconcile, type Situation } from '../../../edge-daemon/upstream/reconcile.ts'

const [E, OTHER] = ['e'.repeat(32), 'f'.repeat(32)]
const ARCHIVE = 'a'.repeat(32)

function block(lastSeq: number, position: number, epoch = E): ChainBlock {
  return { epoch, firstSeq: lastSeq - 9, lastSeq, digest: String(lastSeq).padStart(64, '0'), position }
}

function chain(changes: Partial<Chain> = {}): Chain {
  return { archive: ARCHIVE, cursor: 50, syncedSeq: 50, held: block(50, 7), sent: null, ...changes }
}

const NEW: Partial<Chain> = { archive: null, cursor: 0, held: null }

function holds(lastSeq: number, position: number): Situation['holding'] {
  return { outcome: 'holds', block: block(lastSeq, position), archive: 'x', after: position, expired: false }
}

function nothing(changes: object = {}): Situation['holding'] {
  return {
    outcome: 'nothing',
    archive: 'x',
    after: 0,
    lastPosition: 9,
    foreignEpoch: null,
    keepsMarks: true,
    ...changes,
  }
}

function decide(changes: Partial<Situation>) {
  return reconcile({
    chain: chain(),
    holding: nothing(),
    archive: ARCHIVE,
    epoch: E,
    isOpen: true,
    seen: null,
    headSeq: 80,
    ...changes,
  })
}

const GO_ON = { step: 'go_on', doubtfulThrough: 0 }

describe('the receiver names a block', () => {
  test('that was acknowledged last: go on', () => {
    expect(decide({ holding: holds(50, 7), seen: 'held' })).toEqual(GO_ON)
  })

  test('whose acknowledgement was lost: go on behind it', () => {
    const sent = decide({ chain: chain({ sent: block(60, 0) }), holding: holds(60, 8), seen: 'sent' })
    expect(sent).toEqual({ step: 'advance', to: block(60, 8) })
    // Also with an account of its own that is older, or lost.
    expect(decide({ holding: holds(70, 9), seen: 'log' })).toMatchObject({ step: 'advance' })
    expect(decide({ chain: chain(NEW), holding: holds(70, 9), seen: 'log' })).toMatchObject({ step: 'advance' })
  })

  test.each(['log', 'gone'] as const)('older than the last acknowledged (%s): it has lost its end', (seen) => {
    expect(decide({ holding: holds(30, 4), seen })).toEqual({
      step: 'rewind',
      to: block(30, 4),
      afterSeq: 30,
      reason: 'tail_lost',
      doubtfulThrough: 0,
    })
  })

  test('that is not from this disk: fork, for what it looks like', () => {
    expect(decide({ holding: holds(60, 8), seen: 'unlike' })).toEqual({ step: 'fork', reason: 'cloned' })
    expect(decide({ holding: holds(90, 8), seen: 'unlike' })).toEqual({ step: 'fork', reason: 'restored' })
  })

  test('that is not from this disk in an epoch that it has left: go on', () => {
    expect(decide({ holding: holds(90, 8), seen: 'unlike', isOpen: false })).toEqual(GO_ON)
  })

  test('that was never acknowledged here and cannot be compared any more: never believe it', () => {
    expect(decide({ holding: holds(60, 8), seen: 'gone' })).toEqual({ step: 'fork', reason: 'cloned' })
    expect(decide({ chain: chain(NEW), holding: holds(60, 8), seen: 'gone' })).toMatchObject({ step: 'fork' })
  })

  test('below a cursor that was raised because another region has the rest: go on above', () => {
    const raised = chain({ cursor: 70 })
    expect(decide({ chain: raised, holding: holds(50, 7), seen: 'held' })).toEqual(GO_ON)
  })
})

describe('the receiver holds nothing of the epoch', () => {
  test('and nothing was sent: begin', () => {
    expect(decide({ chain: chain(NEW), holding: nothing({ lastPosition: 0 }) })).toEqual(GO_ON)
  })

  test('though it was acknowledged, and the archive is as far as it was: it expired', () => {
    expect(decide({})).toEqual(GO_ON)
    expect(decide({ holding: nothing({ keepsMarks: false }) })).toEqual(GO_ON)
  })

  test('and a block had no answer: without a mark there is doubt, with marks only after a purge', () => {
    const sent = { sent: block(60, 0) }
    const doubt = { step: 'go_on', doubtfulThrough: 60 }
    expect(decide({ chain: chain(sent), holding: nothing({ keepsMarks: false }) })).toEqual(doubt)
    expect(decide({ chain: chain(sent) })).toEqual(doubt)
    const first = chain({ ...NEW, ...sent })
    expect(decide({ chain: first })).toEqual(GO_ON)
    expect(decide({ chain: first, holding: nothing({ keepsMarks: false }) })).toEqual(doubt)
    expect(decide({ chain: first, holding: nothing({ keepsMarks: false, lastPosition: 0 }) })).toEqual(GO_ON)
  })

  test('and its archive is behind what it acknowledged: it has lost its end', () => {
    const lost = { step: 'rewind', to: null, afterSeq: 0, reason: 'tail_lost' }
    expect(decide({ holding: nothing({ lastPosition: 3 }) })).toEqual({ ...lost, doubtfulThrough: 0 })
    const unmarked = nothing({ lastPosition: 3, keepsMarks: false })
    expect(decide({ holding: unmarked })).toEqual({ ...lost, doubtfulThrough: 50 })
    // A receiver without positions that remembers for ever, and does not.
    expect(decide({ holding: nothing({ lastPosition: null }) })).toMatchObject(lost)
    expect(decide({ holding: nothing({ lastPosition: null, keepsMarks: false }) })).toEqual(GO_ON)
  })

  test('and what it acknowledged was not surely synced: others may have filled up what it lost, so it comes again', () => {
    const again = { step: 'rewind', to: null, afterSeq: 30, reason: 'tail_lost', doubtfulThrough: 50 }
    expect(decide({ chain: chain({ syncedSeq: 30 }) })).toEqual(again)
    expect(decide({ chain: chain({ syncedSeq: 30 }), holding: nothing({ keepsMarks: false }) })).toEqual(again)
  })

  test('and is another archive: begin anew', () => {
    expect(decide({ archive: 'b'.repeat(32) })).toEqual({
      step: 'rewind',
      to: null,
      afterSeq: 0,
      reason: 'archive_replaced',
      doubtfulThrough: 0,
    })
  })

  test('while what was acknowledged was of another epoch: go on', () => {
    expect(decide({ chain: chain({ held: block(50, 7, OTHER) }) })).toEqual(GO_ON)
  })
})

test('of a receiver that does not tell, only what had no answer is in doubt', () => {
  const holding = { outcome: 'untold', archive: 'x' } as const
  expect(decide({ holding })).toEqual(GO_ON)
  expect(decide({ chain: chain({ sent: block(60, 0) }), holding })).toEqual({ step: 'go_on', doubtfulThrough: 60 })
})
