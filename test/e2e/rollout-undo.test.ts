import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import { RolloutFleet } from '../support/rollout-fleet.ts'

let fleet: RolloutFleet

beforeEach(() => {
  fleet = new RolloutFleet(3)
})
afterEach(async () => {
  await fleet[Symbol.asyncDispose]()
})

test('nodes that served the model of their folder are brought back to it, one of them killed on the way', {
  timeout: 900_000,
}, async () => {
  const item = await fleet.shelve('2.0.0')
  await fleet.start()
  const rolled = await fleet.roll(item).result
  expect(rolled.code, rolled.stderr + rolled.stdout).toBe(0)
  const undo = fleet.begin('undo', '--why', 'it was for a test')
  const node = fleet.nodes[0]
  await eventually(() => node?.changes.change?.item.origin === 'node' && node.version === '1.0.0', {
    what: 'it serves the model of its folder',
    timeoutMs: 240_000,
  })
  await node?.killed()
  const { code, stderr, stdout } = await undo.result
  expect(code, stderr + stdout).toBe(0)
  expect(stderr).toMatch(/what nodes had before \S+ \(digits 1\.0\.0 of the node's folder\)/)
  await eventually(
    () => fleet.nodes.every((one) => one.version === '1.0.0' && one.changes.change?.isLocked === false),
    {
      what: 'all serve it again, and nothing holds them',
    },
  )
  for (const { changes } of fleet.nodes) {
    expect(changes).toMatchObject({ confirmed: [], change: { phase: 'confirmed' } })
  }
})
