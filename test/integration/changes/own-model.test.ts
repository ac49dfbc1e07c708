import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Item } from '../../../protocol/change.ts'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url))
const BACK = { rollout: 'r2', activation: 'b1' } as const

let node: ChangingNode
let item: Item
let own: Item

beforeEach(async () => {
  node = new ChangingNode()
  const dir = join(node.home.dir, 'models')
  cpSync(MODELS, dir, { recursive: true })
  node.configure({ 'models.dir': dir })
  item = await node.shelve('2.0.0')
  await node.serve()
  await node.activate(item)
  const { before } = node.changes.change ?? {}
  if (before === undefined) throw new Error('it does not say what it goes back to')
  own = before
  await node.ask('change.confirm', { activation: 'a1' })
  await node.ask('change.end')
})
afterEach(async () => {
  await node[Symbol.asyncDispose]()
})

describe('the model of the own folder, behind a package', { timeout: 240_000 }, () => {
  test('is named by the node, serves on probation, is confirmed, and over every kill -9 the node knows which serves', async () => {
    expect(own).toMatchObject({ kind: 'model', name: 'digits', version: '1.0.0', origin: 'node' })
    await node.activate(own, BACK)
    expect(node.version).toBe('1.0.0')
    expect(node.changes).toMatchObject({ confirmed: [item], change: { item: own, before: item } })
    await node.killed()
    expect(node.version).toBe('1.0.0')
    expect(node.changes.change).toMatchObject({ phase: 'probation', item: own })
    expect(await node.infer(2)).toEqual([200, 200])
    expect(await node.ask('change.confirm', BACK)).toMatchObject({ phase: 'confirmed' })
    expect(await node.ask('change.end', { rollout: 'r2' })).toMatchObject({ isLocked: false })
    await node.killed()
    expect(node.version).toBe('1.0.0')
    expect(node.changes.confirmed).toEqual([])
  })

  test('is left for the package again when its process dies twice, and when nobody confirms', async () => {
    await node.activate(own, BACK)
    await node.diesTwice()
    expect((await node.until('reverted')).fault?.kind).toBe('unclean_starts')
    await eventually(() => node.version === '2.0.0', { what: 'the package serves' })
    await node.activate(own, { ...BACK, activation: 'b2', confirmWithinSec: 15 })
    expect((await node.until('reverted')).fault?.kind).toBe('unconfirmed')
    await eventually(() => node.version === '2.0.0', { what: 'the package serves' })
    expect(node.changes.confirmed).toEqual([item])
  })

  test('is refused when the folder holds another one by now, and the package goes on', async () => {
    const manifest = join(node.home.dir, 'models/digits/manifest.json')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"1.0.0"', '"1.0.1"'))
    await node.ask('change.stage', { rollout: 'r2', item: own, sources: [{ kind: 'link' }] })
    const { fault } = await node.until('failed')
    expect(fault?.msg).toMatch(/holds digits@1\.0\.1 \(.*is to go back to digits@1\.0\.0 .*put that model back/)
    expect(node.version).toBe('2.0.0')
    expect(await node.infer(1)).toEqual([200])
  })
})
