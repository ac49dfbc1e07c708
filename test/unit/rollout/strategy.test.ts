import { describe, expect, it } from 'vitest'
import {
  adjustStrategy,
  DEFAULT_STRATEGY,
  parseStrategy,
  portionOf,
  STRATEGY_KEYS,
} from '../../../src/rollout/strategy.ts'

describe('a strategy file', () => {
  it('needs to say nothing', () => {
    expect(parseStrategy('', 's.yaml')).toEqual(DEFAULT_STRATEGY)
  })

  it('is read with units, counts and shares', () => {
    const text = 'canary: [n1, n2]\nwaves: [5, "50%"]\nsoak: 10s\nmaxSoak: 1m\nconfirmWithin: 2m\nshadow: null\n'
    expect(parseStrategy(text, 's.yaml')).toMatchObject({
      canary: { kind: 'nodes', nodes: ['n1', 'n2'] },
      waves: [{ count: 5 }, { percent: 50 }],
      soakSec: 10,
      maxSoakSec: 60,
      confirmWithinSec: 120,
      shadow: null,
    })
  })

  it.each([
    ['soak: 10', 's.yaml:1: soak: expected a duration with its unit'],
    ['parallel: 5\nmaxSoakk: 3m', 's.yaml:2: maxSoakk: unknown key; did you mean "maxSoak"?'],
    ['maxSoak: 1h', 's.yaml: confirmWithin: a node would go back before its soak is over: write at least 3630s'],
    ['siteBudget: 0%', 's.yaml:1: siteBudget: expected a number of nodes, or a share'],
    ['shadow:\n  source: labelled', 's.yaml:2: shadow.labelled: name the labelled set by its digest'],
    ['shadow: { samplePct: 0 }', 's.yaml:1: shadow.samplePct: '],
    ['pauseAfter: [wave-0]', 's.yaml:1: pauseAfter.0: expected "all", "canary" or "wave-1"'],
  ])('tells what is wrong with %j, and where', (text, message) => {
    expect(() => parseStrategy(text, 's.yaml')).toThrow(message)
  })

  it('takes single knobs on top of another', () => {
    const quick = adjustStrategy(DEFAULT_STRATEGY, { soak: '5s', canary: 2 })
    expect(quick).toEqual({ ...DEFAULT_STRATEGY, soakSec: 5, canary: { kind: 'count', count: 2 } })
    expect(adjustStrategy(quick, {})).toEqual(quick)
    expect(() => adjustStrategy(DEFAULT_STRATEGY, { soak: 'soon' })).toThrow('soak: expected a duration')
  })

  it('says of every key what it means', () => {
    for (const key of Object.keys(STRATEGY_KEYS)) {
      expect(() => parseStrategy(`${key}: true`, 's.yaml'), key).toThrow(/s\.yaml/)
      expect(() => parseStrategy(`${key}: true`, 's.yaml'), key).not.toThrow('unknown key')
    }
  })

  it('rounds a share up to at least one and never past all', () => {
    expect(portionOf({ percent: 1 }, 5)).toBe(1)
    expect(portionOf({ percent: 30 }, 10)).toBe(3)
    expect(portionOf({ percent: 34 }, 10)).toBe(4)
    expect(portionOf({ count: 9 }, 4)).toBe(4)
  })
})
