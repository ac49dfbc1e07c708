import { expect, test } from 'vitest'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { seededRandom } from '../../support/random.ts'

const SEED = Number(process.env.EDGE_KILL_SEED ?? 7)
const KILLS = 6

test('killed at any moment of a change, a node serves what is whole, and its word on an activation stays', {
  timeout: 600_000,
}, async () => {
  const random = seededRandom(SEED)
  await using node = new ChangingNode()
  const items = [await node.shelve('2.0.0'), await node.shelve('2.0.1')]
  await node.serve()
  /** What the node has answered to be confirmed. */
  let good: string = '1.0.0'
  for (let kill = 0; kill < KILLS; kill += 1) {
    const item = items[kill % 2] as (typeof items)[number]
    const rollout = `r${kill}`
    const isConfirmed = kill % 3 !== 2
    let answered: string | null = null
    const change = (async () => {
      await node.activate(item, { rollout, confirmWithinSec: 600 })
      const step = isConfirmed ? 'change.confirm' : 'change.revert'
      const told = await node.ask(
        step,
        isConfirmed ? { rollout, activation: 'a1' } : { rollout, activation: 'a1', why: 'so' },
      )
      answered = told?.phase ?? null
    })()
    change.catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, random() * 2500))
    await node.kill()
    await change.catch(() => undefined)
    await node.serve()
    const found = node.changes.change
    if (answered === 'confirmed') expect(node.changes.confirmed).toEqual([item])
    // What it told of the activation before, it tells again.
    if (answered === 'reverting') expect(['reverting', 'reverted']).toContain(found?.phase)
    expect(await node.infer(1)).toEqual([200])
    // Whoever drives the rollout goes on where it was, until the node is let go.
    if (found?.rollout === rollout) {
      if (isConfirmed) {
        if (found.phase === 'staging' || found.phase === 'staged' || found.phase === 'activating') {
          if (found.phase !== 'activating') {
            await node.until('staged')
            await node.ask('change.activate', {
              rollout,
              activation: 'a1',
              confirmWithinSec: 600,
              gates: {},
              comparePct: 0,
            })
          }
          await node.until('probation')
        }
        await node.ask('change.confirm', { rollout, activation: 'a1' })
        good = item.version
      } else {
        await node.ask('change.revert', { rollout, activation: 'a1', why: 'so' })
        await node.until('reverted')
      }
      await node.ask('change.end', { rollout })
      await eventually(() => node.changes.change?.isLocked === false, { what: 'it is let go' })
    }
    await eventually(() => node.version === good, { what: `${good} serves, it is ${node.version}` })
  }
})
