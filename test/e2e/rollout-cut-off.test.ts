import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import { RolloutFleet } from '../support/rollout-fleet.ts'

let fleet: RolloutFleet

beforeEach(() => {
  fleet = new RolloutFleet(2)
})
afterEach(async () => {
  await fleet[Symbol.asyncDispose]()
})

test('a node that is cut off on probation goes back by itself, and the rollout tells so and brings it again', {
  timeout: 900_000,
}, async () => {
  const item = await fleet.shelve('2.0.0')
  await fleet.start()
  // So long a soak that it is cut off long before it could be confirmed.
  const rollout = fleet.roll(item, '--set', 'soak=20s', '--set', 'maxSoak=30s', '--set', 'confirmWithin=60s')
  await eventually(() => fleet.versions().includes('2.0.0'), { what: 'the canary serves it', timeoutMs: 240_000 })
  const at = fleet.versions().indexOf('2.0.0')
  fleet.links[at]?.cut()
  await eventually(() => fleet.versions().every((version) => version === '1.0.0'), {
    what: 'it is back, told by nobody',
    timeoutMs: 240_000,
  })
  await fleet.links[at]?.mend()
  const { code, stdout, stderr } = await rollout.result
  const key = `n${at + 1}`
  expect(stdout).toMatch(
    new RegExp(`${key} is suspect: dark since[\\s\\S]*${key} went back by itself: .*\\(unconfirmed\\)`),
  )
  // Nothing was wrong with what it served, so that it is brought it once more.
  expect(code, stdout + stderr).toBe(0)
  await eventually(() => fleet.versions().every((version) => version === '2.0.0'), { what: 'all serve it' })
})
