import { describe, expect, it } from 'vitest'
import type { GateFinding, GateVerdict, RolloutEvent } from '../../../src/rollout/contract.ts'
import { JournalTeller } from '../../../src/rollout/journal-teller.ts'
import { planOf } from '../../support/rollout/events.ts'

const AT = 1_800_000_000_000
const PLAN = planOf(['n1', 'n2'])
const SOAK_MS = PLAN.strategy.soakSec * 1000

function judged(
  atMs: number,
  verdict: GateVerdict['verdict'],
  findings: readonly Partial<GateFinding>[] = [],
): RolloutEvent {
  const whole = findings.map((finding): GateFinding => {
    return { gate: 'failed', against: 'limit', verdict, msg: 'so many', changed: null, baseline: null, ...finding }
  })
  return { at: AT + atMs, term: 1, type: 'gate.judged', wave: 'canary', verdict: { verdict, findings: whole } }
}

const began = (atMs: number): RolloutEvent => {
  return { at: AT + atMs, term: 1, type: 'baseline.taken', wave: 'canary', counters: {} }
}
const few = { requests: 4, failed: 0, slow: 0 }

function told(events: readonly RolloutEvent[]): string[] {
  const teller = new JournalTeller(PLAN)
  return events.flatMap((event) => {
    const said = teller.tell(event)
    return said === null || said.tone === 'routine' ? [] : [said.text]
  })
}

describe('a journal as it is told', () => {
  it('says that gates cannot tell once a stretch, when the least time is over, and what is missing', () => {
    const open = [
      { changed: few },
      { against: 'baseline', changed: few, baseline: { ...few, requests: 7 } },
      { gate: 'slow', changed: few },
      { gate: 'disagrees', msg: '3 of 20 pictures compared with the item before' },
    ] as const
    const looks = [1, 400, 800, SOAK_MS, SOAK_MS + 1000, SOAK_MS + 2000].map((at) => judged(at, 'inconclusive', open))
    const missing =
      '4 of 50 requests at changed nodes; 7 of 50 requests at nodes not yet changed; 3 of 20 pictures compared with the item before'
    expect(told([began(0), ...looks])).toEqual([`canary: gates cannot tell yet: ${missing}`])
    // Nodes that come later are judged over a stretch of their own.
    expect(told([began(0), ...looks, began(60_000), judged(70_000, 'inconclusive', open)])).toHaveLength(2)
  })

  it('says that gates pass once the least time is over, and that they stop it at once', () => {
    const passes = [100, SOAK_MS, SOAK_MS + 500].map((at) => judged(at, 'pass', [{ msg: '0 of 300 failed' }]))
    expect(told([began(0), ...passes])).toEqual(['canary: gates pass: 0 of 300 failed'])
    expect(told([began(0), judged(10, 'fail', [{ msg: '9 of 60 failed' }])])).toEqual([
      'canary: gates stop it: 9 of 60 failed',
    ])
  })

  it('tells all else as it comes, and what a shadow says before anybody serves it', () => {
    const shadow = judged(10, 'inconclusive', [{ gate: 'disagrees', msg: '40 of 100 differed' }])
    expect(told([shadow, { at: AT, term: 1, type: 'wave.began', wave: 'canary' }])).toEqual([
      'canary: gates cannot tell yet: 40 of 100 differed',
      'canary begins',
    ])
  })
})
