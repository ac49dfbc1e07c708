import { appendFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Item } from '../../../protocol/change.ts'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'

const EVERYTHING = 'filter:\n  abnormal:\n    - name: everything\n      when: "true"\nalerts:\n  cpuPct: 95\n'

let node: ChangingNode
beforeEach(async () => {
  node = new ChangingNode()
  await node.serve()
})
afterEach(() => node[Symbol.asyncDispose]())

/** Have a picture classified, and say why its result is abnormal; null when it is not. */
async function reasonOfNext(): Promise<string | null> {
  await node.infer(1)
  const [newest] = (await node.results(1)) as { reason?: string }[]
  return newest?.reason ?? null
}

describe('configuration that a rollout brings', () => {
  it('is in force at once, and goes back by itself when nobody confirms it', async () => {
    expect(await reasonOfNext()).toBeNull()
    const item = await node.shelveConfig('1', EVERYTHING)
    await node.activate(item, { confirmWithinSec: 15 })
    expect(await reasonOfNext()).toBe('everything')
    expect((await node.until('reverted')).fault?.kind).toBe('unconfirmed')
    expect(await reasonOfNext()).toBeNull()
  })

  it('stays when it was confirmed, over kill -9, beside the model; the next one takes its place', async () => {
    const first = await node.shelveConfig('1', EVERYTHING)
    await node.activate(first)
    await node.ask('change.confirm', { activation: 'a1' })
    await node.until('confirmed')
    await node.ask('change.end')
    await node.killed()
    expect(node.changes.confirmed).toContainEqual(first)
    expect(node.changes.drift).toBeUndefined()
    expect(await reasonOfNext()).toBe('everything')
    const second = await node.shelveConfig('2', 'filter: { abnormal: [{ name: other, when: "true" }] }')
    const step = { rollout: 'r2', activation: 'a2' }
    await node.activate(second, step)
    expect(await reasonOfNext()).toBe('other')
    await node.ask('change.revert', { ...step, why: 'tried' })
    await node.until('reverted')
    expect(await reasonOfNext()).toBe('everything')
  })

  it('is left for the settings of the node itself, as what counts from then on', async () => {
    const item = await node.shelveConfig('1', EVERYTHING)
    await node.activate(item)
    const { before } = node.changes.change ?? {}
    expect(before).toMatchObject({ kind: 'config', origin: 'node' })
    await node.ask('change.confirm', { activation: 'a1' })
    await node.ask('change.end')
    const step = { rollout: 'r2', activation: 'a2' }
    await node.activate(before as Item, step)
    expect(await reasonOfNext()).toBeNull()
    await node.ask('change.confirm', step)
    await node.until('confirmed')
    await node.killed()
    expect(await reasonOfNext()).toBeNull()
    expect(node.changes.confirmed).toEqual([])
  })

  it.each([
    ['a rule that is none', 'filter:\n  abnormal:\n    - name: bad\n      when: "code >"\n', /settings\.yaml:4/],
    ['a setting of the node alone', 'node: { name: other }\n', /node\.name|"node"|node: unknown key/],
    ['a threshold that makes no sense', 'alerts:\n  cpuPct: 900\n', /alerts\.cpuPct/],
  ])('is refused before it is taken: %s', async (_, yaml, said) => {
    const item = await node.shelveConfig('9', yaml)
    await node.ask('change.stage', { item, sources: [{ kind: 'link' }] })
    const { fault } = await node.until('failed')
    expect(fault?.kind).toBe('package')
    expect(fault?.msg).toMatch(said)
    expect(await reasonOfNext()).toBeNull()
  })

  it('that lies damaged on the disk is put aside at the start, and told as drift', async () => {
    const item = await node.shelveConfig('1', EVERYTHING)
    await node.activate(item)
    await node.ask('change.confirm', { activation: 'a1' })
    await node.until('confirmed')
    await node.kill()
    appendFileSync(`${node.home.stateDir}/packages/${item.digest}/settings.yaml`, '# more\n')
    await node.serve()
    await eventually(() => (node.changes.drift ?? []).length > 0, { what: 'drift' })
    expect(node.changes.drift?.[0]).toContain('settings@1')
    expect(await reasonOfNext()).toBeNull()
  })
})
