import { expect, test } from 'vitest'
import { Backoff } from '../../../edge-daemon/upstream/backoff.ts'
import { Bell } from '../../../edge-daemon/upstream/bell.ts'

test('waits double up to the bound, begin anew after a success, and lose up to half by chance', () => {
  let chance = 0
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => chance })
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.nextMs())).toEqual([100, 200, 400, 800, 1000, 1000])
  chance = 1
  expect(backoff.nextMs()).toBe(500)
  backoff.reset()
  expect(backoff.nextMs()).toBe(50)
})

test('a bell rung before the sleep is not missed, and wakes only one sleep', async () => {
  const bell = new Bell()
  bell.ring()
  bell.ring()
  await bell.sleep()
  const startedAtMs = performance.now()
  await bell.sleep(30)
  expect(performance.now() - startedAtMs).toBeGreaterThan(25)
})
