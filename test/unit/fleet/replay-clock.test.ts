import { describe, expect, test } from 'vitest'
import { advanced, geared, holdAt, stepped, toggled } from '../../../src/fleet/replay-clock.ts'

const NOW = 1_000_000_000

describe('the play head', () => {
  test('steps back from now and forward again, and is back at now when it gets there', () => {
    const back = stepped(null, -10_000, NOW)
    expect(back).toMatchObject({ headMs: NOW - 10_000, playing: false, rate: 1 })
    expect(stepped(back, -60_000, NOW + 500)?.headMs).toBe(NOW - 70_000)
    expect(stepped(back, 5000, NOW)?.headMs).toBe(NOW - 5000)
    expect(stepped(back, 10_000, NOW + 3000)).toBeNull()
    expect(stepped(back, 10_000, NOW)).toBeNull()
    expect(holdAt(NOW + 1, NOW)).toBeNull()
  })

  test('stands until it is played, then moves as fast as its rate', () => {
    const held = holdAt(NOW - 100_000, NOW)
    if (held === null) throw new Error('not in the past')
    expect(advanced(held, NOW + 5000)).toBe(held)
    const playing = toggled(held, NOW + 5000)
    expect(advanced(playing, NOW + 6000)?.headMs).toBe(NOW - 99_000)
    const quick = geared(geared(playing, 1, NOW + 5000), 1, NOW + 5000)
    expect(quick.rate).toBe(5)
    expect(advanced(quick, NOW + 6000)?.headMs).toBe(NOW - 95_000)
  })

  test('waits where the past is not loaded yet, and loses no time by it', () => {
    const playing = toggled(holdAt(NOW - 100_000, NOW) ?? expect.fail(), NOW)
    const waiting = advanced(playing, NOW + 10_000, NOW - 98_000)
    expect(waiting?.headMs).toBe(NOW - 98_000)
    expect(advanced(waiting ?? expect.fail(), NOW + 11_000)?.headMs).toBe(NOW - 97_000)
    expect(advanced(playing, NOW + 1000, NOW - 200_000)?.headMs).toBe(NOW - 100_000)
  })

  test('becomes now when it catches up', () => {
    const playing = geared(holdAt(NOW - 5000, NOW) ?? expect.fail(), 1, NOW)
    expect(advanced(playing, NOW + 4000)).toMatchObject({ headMs: NOW + 3000 })
    expect(advanced(playing, NOW + 5001)).toBeNull()
  })

  test('has no rate beyond the slowest and the quickest', () => {
    let clock = holdAt(NOW - 5000, NOW) ?? expect.fail()
    for (let turn = 0; turn < 10; turn += 1) clock = geared(clock, 1, NOW)
    expect(clock.rate).toBe(60)
    for (let turn = 0; turn < 10; turn += 1) clock = geared(clock, -1, NOW)
    expect(clock.rate).toBe(1)
  })
})
