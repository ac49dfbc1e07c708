import { describe, expect, test } from 'vitest'
import {
  chooseRoute,
  FIRST_PROVING_MS,
  provingAfter,
  type RouteState,
  type Situation,
} from '../../../src/link/route-choice.ts'

const OFF: RouteState = { wanted: false, upSinceMs: null, heardMs: null }
const up = (sinceMs: number, heardMs = 100_000): RouteState => ({ wanted: true, upSinceMs: sinceMs, heardMs })
const NOW = 100_000

function choose(situation: Partial<Situation>) {
  const usual = { active: null, direct: OFF, nats: OFF, directMissingSinceMs: null, everyMs: 1000, provingMs: 5000 }
  return chooseRoute({ ...usual, ...situation }, NOW)
}

describe('which way is used', () => {
  test('direct has two seconds before the bus is tried beside it', () => {
    expect(choose({ directMissingSinceMs: NOW - 1900 })).toEqual({ use: null, wantsNats: false })
    expect(choose({ directMissingSinceMs: NOW - 2000 })).toEqual({ use: null, wantsNats: true })
    expect(choose({ nats: up(NOW - 10) })).toEqual({ use: 'nats', wantsNats: true })
    expect(choose({ direct: up(NOW - 10), nats: up(NOW - 10) })).toEqual({ use: 'direct', wantsNats: false })
  })

  test('a direct way that is silent longer than it announced is left once the bus speaks', () => {
    const silent = up(0, NOW - 3600)
    expect(choose({ active: 'direct', direct: silent })).toEqual({ use: 'direct', wantsNats: true })
    expect(choose({ active: 'direct', direct: silent, nats: up(NOW - 5) })).toEqual({ use: 'nats', wantsNats: true })
    // Probes come every five seconds even where a status comes rarely.
    expect(choose({ active: 'direct', direct: silent, everyMs: 10_000 }).wantsNats).toBe(false)
    expect(choose({ active: 'direct', direct: up(0, NOW - 7600), everyMs: 10_000 }).wantsNats).toBe(true)
  })

  test('back to the direct way only when it has proved itself, or when the bus falls silent', () => {
    const nats = up(0)
    expect(choose({ active: 'nats', nats, direct: up(NOW - 4900) }).use).toBe('nats')
    expect(choose({ active: 'nats', nats, direct: up(NOW - 5000) })).toEqual({ use: 'direct', wantsNats: false })
    expect(choose({ active: 'nats', nats, direct: up(0, NOW - 9000) }).use).toBe('nats')
    expect(choose({ active: 'nats', nats: up(0, NOW - 4000), direct: up(NOW - 10) }).use).toBe('direct')
  })

  test('a way that breaks soon after it was taken again has to prove itself for longer, and one that held does not', () => {
    let provingMs = FIRST_PROVING_MS
    for (let i = 0; i < 20; i += 1) provingMs = provingAfter(provingMs, 3000)
    expect(provingMs).toBe(300_000)
    expect(provingAfter(provingMs, 61_000)).toBe(FIRST_PROVING_MS)
  })
})
