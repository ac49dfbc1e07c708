import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'

const PRELOAD = pathToFileURL(join(import.meta.dirname, '../../torture/fault-preload.ts')).href
const DAY_MS = 86_400_000
const HALF_DAY_MS = DAY_MS / 2
/** So many of the daemon's looks at its changes, one each half second, must pass by without a change. */
const LOOKS_MS = 3000

let node: ChangingNode
beforeEach(() => {
  node = new ChangingNode()
})
afterEach(() => node[Symbol.asyncDispose]())

/** Start the daemon with a wall clock that {@link shift} sets. */
async function serve(): Promise<void> {
  const env = { NODE_OPTIONS: `--import=${PRELOAD}`, TORTURE_CLOCK: join(node.home.dir, 'clock') }
  node.served = await node.home.serve({ env })
  await node.look()
}

/** Have the daemon's wall clock wrong by so much, and wait until its status says so. */
async function shift(byMs: number): Promise<void> {
  writeShift(byMs)
  await eventually(() => Math.abs(node.status.at - Date.now() - byMs) < HALF_DAY_MS, { what: 'the clock jumped' })
}

function writeShift(byMs: number): void {
  const path = join(node.home.dir, 'clock')
  writeFileSync(`${path}.new`, `${byMs}`)
  renameSync(`${path}.new`, path)
}

/** Let the daemon look at its changes a few times; its phase must stay. */
async function staysOnProbation(): Promise<void> {
  const from = node.status.at
  await eventually(
    () => {
      expect(node.changes.change?.phase).toBe('probation')
      return node.status.at - from > LOOKS_MS
    },
    { what: 'time passes' },
  )
}

describe('a probation while the wall clock jumps', { timeout: 240_000 }, () => {
  it('is not over when the clock jumps ahead, also over kill -9; it can be confirmed', async () => {
    const item = await node.shelve('2.0.0')
    await serve()
    await node.activate(item, { confirmWithinSec: 600 })
    await shift(DAY_MS)
    await staysOnProbation()
    // What consoles are told is a moment of the node's clock, too.
    const { until } = node.changes.change ?? {}
    expect((until ?? 0) - node.status.at).toBeLessThanOrEqual(600_000)
    expect((until ?? 0) - node.status.at).toBeGreaterThan(0)
    await node.kill()
    writeShift(2 * DAY_MS)
    await serve()
    await staysOnProbation()
    expect(node.version).toBe('2.0.0')
    expect(await node.ask('change.confirm', { activation: 'a1' })).toMatchObject({ phase: 'confirmed' })
  })

  it('is over in its time when the clock jumps back', async () => {
    const item = await node.shelve('2.0.0')
    await serve()
    await node.activate(item, { confirmWithinSec: 20 })
    await shift(-DAY_MS)
    const change = await node.until('reverted', 120_000)
    expect(change.fault?.kind).toBe('unconfirmed')
    await eventually(() => node.version === '1.0.0', { what: 'the model before serves' })
  })
})
