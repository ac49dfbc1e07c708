import { describe, expect, it } from 'vitest'
import { DamageCount } from '../../../edge-daemon/store/damage-count.ts'

describe('the count of damaged stretches', () => {
  it('counts a stretch once, from wherever it is come across', () => {
    const damaged = new DamageCount()
    damaged.note('a', 100, 200)
    damaged.note('a', 100, 200)
    damaged.note('a', 150, 300)
    damaged.note('a', 250, 300)
    expect(damaged.count).toBe(1)
    damaged.note('a', 300, 400)
    damaged.note('b', 100, 200)
    expect(damaged.count).toBe(3)
  })
})
