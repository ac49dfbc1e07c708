import { describe, expect, it } from 'vitest'
import type { GateFinding, GateLimits } from '../../../src/rollout/contract.ts'
import type { ChangedEvidence, GateInput, PeerEvidence } from '../../../src/rollout/gates/contract.ts'
import { countsBetween, countsOf } from '../../../src/rollout/gates/counts.ts'
import { judge } from '../../../src/rollout/gates/judge.ts'

const LIMITS: GateLimits = {
  maxFailedPct: 2,
  maxSlowPct: 10,
  maxDisagreePct: 20,
  worseFactor: 2,
  minRequests: 200,
  falseStop: 0.05,
}

function node(key: string, over: Partial<ChangedEvidence> = {}): ChangedEvidence {
  return {
    key,
    site: 'plant-a',
    nodeClass: 'light',
    before: { requests: 10_000, failed: 50, slow: 100 },
    since: { requests: 1000, failed: 5, slow: 10 },
    newCriticalAlerts: 0,
    compared: null,
    ...over,
  }
}

function nodes(count: number, prefix: string, over: Partial<ChangedEvidence> = {}): ChangedEvidence[] {
  return Array.from({ length: count }, (_, i) => node(`${prefix}${i}`, over))
}

function input(
  changed: readonly ChangedEvidence[],
  unchanged: readonly PeerEvidence[],
  over: Partial<GateLimits> = {},
): GateInput {
  return { limits: { ...LIMITS, ...over }, waves: 4, changed, unchanged, looks: { changed: [], unchanged: [] } }
}

function finding(
  given: GateInput,
  gate: GateFinding['gate'],
  against: GateFinding['against'],
): GateFinding | undefined {
  return judge(given).findings.find((one) => one.gate === gate && one.against === against)
}

const failing = (requests: number, failed: number) => ({ since: { requests, failed, slow: 0 } })

describe('gates of a wave', () => {
  it('pass when changed nodes do as unchanged ones do', () => {
    expect(judge(input(nodes(3, 'c'), nodes(9, 'u'))).verdict).toBe('pass')
  })

  it('fail when three times as many requests fail as at peers, although the limit holds', () => {
    const given = input(nodes(3, 'c', failing(1000, 16)), nodes(9, 'u'))
    expect(finding(given, 'failed', 'limit')?.verdict).toBe('pass')
    const against = finding(given, 'failed', 'baseline')
    expect(against?.verdict).toBe('fail')
    expect(against?.msg).toContain('48 of 3 000 failed (1.6 %)')
    expect(against?.msg).toContain('45 of 9 000 failed (0.50 %)')
  })

  it('fail over the limit where nobody is left to compare with, and say nothing of peers then', () => {
    const { verdict, findings } = judge(input(nodes(4, 'c', failing(1000, 60)), []))
    expect(verdict).toBe('fail')
    expect(findings.filter(({ gate }) => gate === 'failed' || gate === 'slow').map(({ against }) => against)).toEqual([
      'limit',
      'limit',
    ])
    expect(findings[0]?.msg).toBe('240 of 4 000 failed (6.0 %), limit 2 %')
  })

  it('decide nothing without requests, on either side', () => {
    const silent = { since: { requests: 0, failed: 0, slow: 0 } }
    expect(judge(input(nodes(3, 'c', silent), nodes(9, 'u'))).verdict).toBe('inconclusive')
    expect(judge(input(nodes(3, 'c', { since: null }), nodes(9, 'u'))).verdict).toBe('inconclusive')
    expect(judge(input(nodes(3, 'c'), nodes(9, 'u', silent))).verdict).toBe('inconclusive')
    expect(judge(input(nodes(3, 'c'), nodes(9, 'u', { since: null }))).verdict).toBe('inconclusive')
    expect(judge(input([], nodes(9, 'u'))).verdict).toBe('inconclusive')
  })

  it('decide nothing below the least number of requests, nor by figures that are none', () => {
    expect(judge(input(nodes(3, 'c', failing(60, 1)), nodes(9, 'u'))).verdict).toBe('inconclusive')
    const broken = { since: { requests: Number.NaN, failed: 1, slow: 0 } }
    expect(judge(input(nodes(3, 'c', broken), nodes(9, 'u'))).verdict).toBe('inconclusive')
    expect(judge(input(nodes(3, 'c', failing(-5, 0)), nodes(9, 'u'))).verdict).toBe('inconclusive')
    expect(judge(input([...nodes(3, 'c'), node('c9', broken)], nodes(9, 'u'))).verdict).toBe('pass')
  })

  it('do not stop a release for what befalls the whole site', () => {
    const given = input(nodes(3, 'c', failing(1000, 300)), nodes(9, 'u', failing(1000, 300)))
    expect(judge(given).verdict).toBe('pass')
    expect(finding(given, 'failed', 'limit')?.msg).toContain('as at nodes not yet changed')
  })

  it('compare with peers of the site rather than with the fleet', () => {
    const changed = nodes(3, 'c', { site: 'plant-b', ...failing(1000, 150) })
    const peers = nodes(3, 'p', { site: 'plant-b', ...failing(1000, 150) })
    expect(judge(input(changed, [...peers, ...nodes(30, 'u')])).verdict).toBe('pass')
  })

  it('decide nothing by one site whose last nodes changed when only other sites are left', () => {
    const given = input(nodes(3, 'c', { site: 'plant-b', ...failing(1000, 16) }), nodes(9, 'u'))
    expect(finding(given, 'failed', 'baseline')?.verdict).toBe('inconclusive')
    const two = [
      ...nodes(3, 'c', { site: 'plant-b', ...failing(2000, 70) }),
      ...nodes(3, 'd', { site: 'plant-c', ...failing(2000, 70) }),
    ]
    expect(finding(input(two, nodes(9, 'u')), 'failed', 'baseline')?.verdict).toBe('fail')
  })

  it('take a node that was ill before as it was', () => {
    const ill = node('x', { before: { requests: 10_000, failed: 2000, slow: 100 }, ...failing(1000, 205) })
    expect(judge(input([ill, ...nodes(2, 'c')], nodes(9, 'u'))).verdict).toBe('pass')
    const wasWell = node('x', failing(1000, 205))
    expect(judge(input([wasWell, ...nodes(2, 'c')], nodes(9, 'u'))).verdict).not.toBe('pass')
  })

  it('let one node that falls ill hold a wave, and two stop it', () => {
    const one = [node('x', failing(1000, 400)), ...nodes(5, 'c')]
    expect(judge(input(one, nodes(20, 'u'))).verdict).toBe('inconclusive')
    const two = [node('x', failing(1000, 400)), node('y', failing(1000, 400)), ...nodes(1, 'c')]
    expect(judge(input(two, nodes(20, 'u'))).verdict).toBe('fail')
  })

  it('weigh failures less where peers have them in bursts', () => {
    const changed = nodes(4, 'c', failing(1000, 16))
    const steady = nodes(12, 'u', failing(1000, 5))
    const bursting = steady.map((one, i) =>
      i % 4 === 0 ? { ...one, ...failing(1000, 20) } : { ...one, ...failing(1000, 0) },
    )
    expect(finding(input(changed, steady), 'failed', 'baseline')?.verdict).toBe('fail')
    expect(finding(input(changed, bursting), 'failed', 'baseline')?.verdict).not.toBe('fail')
  })

  it('mind the share over 50 ms as they mind failures', () => {
    const slow = (slow: number) => ({ since: { requests: 1000, failed: 5, slow } })
    expect(finding(input(nodes(3, 'c', slow(250)), nodes(9, 'u')), 'slow', 'limit')?.verdict).toBe('fail')
    expect(finding(input(nodes(3, 'c', slow(90)), nodes(9, 'u')), 'slow', 'baseline')?.verdict).toBe('fail')
  })

  it('call nothing worse that is far below its limit', () => {
    const clean = { before: { requests: 10_000, failed: 0, slow: 0 }, ...failing(1000, 0) }
    expect(judge(input(nodes(3, 'c', { ...clean, ...failing(1000, 2) }), nodes(9, 'u', clean))).verdict).toBe('pass')
  })

  it('fail when the new item differs from the one before more than allowed, wait for pictures, and need none', () => {
    const compared = (pictures: number, disagreed: number) => nodes(3, 'c', { compared: { pictures, disagreed } })
    expect(finding(input(compared(100, 40), nodes(9, 'u')), 'disagrees', 'limit')?.verdict).toBe('fail')
    expect(finding(input(compared(100, 10), nodes(9, 'u')), 'disagrees', 'limit')?.verdict).toBe('pass')
    expect(finding(input(compared(3, 1), nodes(9, 'u')), 'disagrees', 'limit')?.verdict).toBe('inconclusive')
    expect(finding(input(nodes(3, 'c'), nodes(9, 'u')), 'disagrees', 'limit')).toBeUndefined()
  })

  it('hold a wave for one new critical alert, stop it for several, and for none that unchanged nodes have as well', () => {
    const alert = { newCriticalAlerts: 1 }
    expect(finding(input([node('x', alert), ...nodes(3, 'c')], nodes(20, 'u')), 'alerts', 'baseline')?.verdict).toBe(
      'inconclusive',
    )
    expect(finding(input(nodes(4, 'c', alert), nodes(20, 'u')), 'alerts', 'baseline')?.verdict).toBe('fail')
    expect(finding(input(nodes(4, 'c', alert), nodes(20, 'u', alert)), 'alerts', 'baseline')?.verdict).toBe('pass')
  })

  it('pass only when three times as many would have shown, where the strategy asks for that', () => {
    const asked = { severeFactor: 3, missed: 0.05 }
    const quiet = { before: { requests: 100_000, failed: 500, slow: 1000 } }
    const few = [
      nodes(2, 'c', { ...quiet, ...failing(300, 1) }),
      nodes(3, 'u', { ...quiet, ...failing(300, 2) }),
    ] as const
    expect(finding(input(...few), 'failed', 'baseline')?.verdict).toBe('pass')
    const waits = finding(input(...few, asked), 'failed', 'baseline')
    expect(waits?.verdict).toBe('inconclusive')
    expect(waits?.msg).toContain('3 times as many are not excluded yet')
    const enough = [
      nodes(2, 'c', { ...quiet, ...failing(3000, 10) }),
      nodes(3, 'u', { ...quiet, ...failing(3000, 20) }),
    ] as const
    expect(finding(input(...enough, asked), 'failed', 'baseline')?.verdict).toBe('pass')
    expect(finding(input(...enough, asked), 'failed', 'baseline')?.msg).not.toContain('excluded')
  })

  it('rest on the time before where peers are few, and not where these say that times have changed', () => {
    const known = { before: { requests: 100_000, failed: 500, slow: 1000 } }
    const changed = [
      ...nodes(2, 'c', { ...known, ...failing(1500, 30) }),
      ...nodes(2, 'd', { ...known, ...failing(1500, 30), site: 'plant-b' }),
    ]
    const peers = (failed: number, over: Partial<ChangedEvidence> = known) => [
      node('u', { ...over, ...failing(1500, failed) }),
      node('v', { ...over, ...failing(1500, failed), site: 'plant-b' }),
    ]
    const of = (unchanged: readonly PeerEvidence[], some = changed) =>
      finding(input(some, unchanged), 'failed', 'baseline')?.verdict
    expect(of(peers(8))).toBe('fail')
    const withoutPast = changed.map((one) => ({ ...one, before: null }))
    expect(of(peers(8, { before: null }), withoutPast)).not.toBe('fail')
    expect(of(peers(30))).toBe('pass')
    // A whole fleet fares worse than before: the past says nothing.
    const bad = changed.map((one) => ({ ...one, ...failing(1500, 300) }))
    expect(of(peers(300), bad)).toBe('pass')
  })

  it('weigh failures less where they came in bursts, told by the looks before', () => {
    const changed = nodes(4, 'c', failing(1000, 26))
    const unchanged = nodes(1, 'u', failing(1000, 5))
    const steps = Array.from({ length: 20 }, (_, i) => i + 1)
    const looks = (failed: (step: number) => number) =>
      steps.map((step) => ({ requests: 200 * step, failed: failed(step), slow: 0 }))
    const steady = { changed: looks((step) => Math.round(5.2 * step)), unchanged: [] }
    const bursting = { changed: looks((step) => (step < 15 ? 0 : 104)), unchanged: [] }
    expect(finding({ ...input(changed, unchanged), looks: steady }, 'failed', 'baseline')?.verdict).toBe('fail')
    expect(finding({ ...input(changed, unchanged), looks: bursting }, 'failed', 'baseline')?.verdict).not.toBe('fail')
  })

  it('ask for more evidence the more waves there are', () => {
    const given = input(nodes(3, 'c', failing(1000, 13)), nodes(9, 'u'))
    expect(finding({ ...given, waves: 1 }, 'failed', 'baseline')?.verdict).toBe('fail')
    expect(finding({ ...given, waves: 400 }, 'failed', 'baseline')?.verdict).toBe('inconclusive')
  })
})

describe('counts', () => {
  it("leave out what was the device's fault", () => {
    const counters = {
      requests: 100,
      ok: 80,
      abnormal: 5,
      undecodable: 6,
      failed: 4,
      malformed: 5,
      notStored: 1,
      overRate: 1,
      childRestarts: 0,
      slow: 7,
      rawBytes: 1,
    }
    expect(countsOf(counters)).toEqual({ requests: 89, failed: 4, slow: 7 })
  })

  it('are those since the start after a start in between, told by its name or by a figure that fell', () => {
    const from = { instance: 'a', requests: 100, failed: 3, slow: 4 }
    expect(countsBetween(from, { instance: 'a', requests: 150, failed: 4, slow: 4 })).toEqual({
      requests: 50,
      failed: 1,
      slow: 0,
    })
    expect(countsBetween(from, { instance: 'b', requests: 150, failed: 4, slow: 4 })).toEqual({
      requests: 150,
      failed: 4,
      slow: 4,
    })
    expect(countsBetween(from, { instance: 'a', requests: 20, failed: 1, slow: 0 })).toEqual({
      requests: 20,
      failed: 1,
      slow: 0,
    })
    expect(countsBetween(from, { instance: 'a', requests: Number.NaN, failed: 1, slow: 0 })).toBeNull()
  })
})
