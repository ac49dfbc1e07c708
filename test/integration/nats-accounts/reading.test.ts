import { afterAll, beforeAll, expect, test } from 'vitest'
import { inboxPrefixOf } from '../../../protocol/bus-users.ts'
import { readClouds } from '../../../src/cloud/cloud-range.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import { ask } from '../../support/bus-attempts.ts'
import { cloudBlock, cloudRecord, encodeBlock } from '../../support/cloud-blocks.ts'
import { accessOf, type BusMember, type NatsBus, natsBus } from '../../support/nats-bus.ts'

let bus: NatsBus

beforeAll(async () => {
  bus = await natsBus()
  for (const site of ['plant', 'other']) {
    const node = await bus.connect(await bus.member({ kind: 'node', site, node: 'n1' }))
    const { subject, headers, body } = encodeBlock(cloudBlock([cloudRecord(1), cloudRecord(2)], { site }))
    expect(await ask(node, subject, { headers, body })).toMatchObject({ text: expect.stringContaining('"seq"') })
    await node.close()
  }
})

afterAll(() => bus?.[Symbol.asyncDispose]())

function regionFor(member: BusMember): CloudAddress {
  return { name: 'hub', servers: [bus.url], stream: 'EDGE', access: () => accessOf(bus, member) }
}

function read(region: CloudAddress, site: string | null) {
  const query = { node: 'n1', site, classes: ['abnormal', 'ledger'], fromMs: 0, toMs: Date.now() } as const
  return readClouds([region], query, new AbortController().signal)
}

test('a viewer of a site reads its records with the inbox and the rights of the credentials, and those of no other site', async () => {
  const region = regionFor(await bus.member({ kind: 'operator', name: 'vic', role: 'viewer', sites: ['plant'] }))
  const own = await read(region, 'plant')
  expect(own.records.map(({ seq, site }) => [site, seq])).toEqual([
    ['plant', 1],
    ['plant', 2],
  ])
  for (const site of ['other', null]) {
    const refused = await read(region, site)
    expect(refused.records).toEqual([])
    expect(refused.regions[0]?.error?.message).toMatch(/permission/i)
  }
})

test('who may look everywhere finds a node of whatever site', async () => {
  const everywhere = await bus.member({ kind: 'operator', name: 'ada', role: 'admin', sites: '*' })
  const found = await read(regionFor(everywhere), null)
  expect(found.records.map(({ site }) => site).sort()).toEqual(['other', 'other', 'plant', 'plant'])
  expect(inboxPrefixOf({ kind: 'operator', name: 'ada' })).toBe('_INBOX.operator.ada')
})

test('credentials that ended are said to have, with what to do', async () => {
  const late = await bus.member(
    { kind: 'operator', name: 'vic', role: 'viewer', sites: '*' },
    { expiresAtMs: Date.now() - 5000 },
  )
  const refused = await read(regionFor(late), 'plant')
  expect(refused.regions[0]?.error?.message).toMatch(/the credentials of vic ended at .*; log in with edgedeck login/)
})
