import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NatsConnection } from 'nats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NatsSource } from '../../../edge-daemon/delivery/nats-source.ts'
import { busOptionsOf } from '../../../identity/bus-access.ts'
import { packagesIn } from '../../../src/cloud/bucket-packages.ts'
import { type BucketRoute, pushObject, sha256Of } from '../../../src/cloud/bucket-push.ts'
import { ask, listen, publishFor } from '../../support/bus-attempts.ts'
import { deliveryHost, itemOf, noise } from '../../support/delivery-host.ts'
import { accessOf, type BusMember, type NatsBus, natsBus } from '../../support/nats-bus.ts'

const API = '$JS.archive.API'
const STREAM = 'OBJ_packages'
const ANY = '$O.packages.C.any'

let bus: NatsBus
let node: BusMember
let stolen: NatsConnection
let operator: NatsConnection

beforeAll(async () => {
  bus = await natsBus()
  node = await bus.member({ kind: 'node', site: 'plant', node: 'n1' })
  stolen = await bus.connect(node)
  operator = await bus.connect(await bus.member({ kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] }))
})
afterAll(async () => {
  await stolen?.close()
  await operator?.close()
  await bus?.[Symbol.asyncDispose]()
})

/** Messages by subject in the bucket. */
async function held(): Promise<Record<string, number>> {
  const info = await bus.operate(({ streams }) => streams.info(STREAM, { subjects_filter: '>' }))
  return { ...info.state.subjects }
}

async function push(name: string, content: Uint8Array, by = operator): Promise<unknown> {
  const read = async (offset: number, length: number): Promise<Uint8Array> => content.subarray(offset, offset + length)
  const route: BucketRoute = {
    connection: by,
    apiPrefix: API,
    bucket: 'packages',
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  }
  return pushObject({ name, sha256: sha256Of(content), sizeBytes: content.length, read }, route)
}

test('an operator pushes a package and sees it listed, and a node of the fleet fetches it', async () => {
  await using host = await deliveryHost()
  const made = await host.make({ 'model.onnx': noise(1_500_000), 'manifest.json': '{}' })
  for (const { path, sha256 } of made.signed.statement.files) {
    await push(`blobs/${sha256}`, readFileSync(join(made.folder, path)))
  }
  await push(`packages/${made.digest}`, readFileSync(join(made.folder, 'package.sig')))
  const door = { connection: operator, apiPrefix: API, bucket: 'packages', timeoutMs: 90_000 }
  const { packages } = await packagesIn({ ...door, signal: new AbortController().signal })
  expect(packages.map(({ digest }) => digest)).toEqual([made.digest])
  const source = new NatsSource({
    name: 'bus',
    bucket: 'packages',
    connection: () => ({ servers: bus.url, ...busOptionsOf([bus.url], accessOf(bus, node), 'node') }),
    api: () => API,
    stretchBytes: () => 512 * 1024,
  })
  const run = { signal: AbortSignal.timeout(90_000), progress: () => {} }
  const wish = { item: itemOf(made), sources: [{ kind: 'nats' as const, bucket: 'packages' }] }
  const { folder } = await host.delivery(() => [source]).deliver(wish, run)
  expect((await readFile(join(folder, 'model.onnx'))).equals(Buffer.from(noise(1_500_000)))).toBe(true)
})

test('a stolen node writes nothing there, by no way', async () => {
  await push('blobs/x', noise(1000))
  const before = await held()
  for (const subject of [ANY, '$O.packages.M.eA==', '$O.packages.>', '$O.other.C.x']) {
    expect([subject, await ask(stolen, subject, { body: 'x' })]).toEqual([subject, 'refused'])
  }
  // Its own requests, answered into the bucket.
  for (const reply of [ANY, '$O.packages.M.eA==']) {
    await publishFor(stolen, `${API}.DIRECT.GET.${STREAM}`, reply, { body: '{"seq":1,"batch":5}' })
    await publishFor(stolen, `${API}.STREAM.INFO.EDGE`, reply)
    await publishFor(stolen, 'edge.plant.n1.results', reply, { body: 'x' })
  }
  await stolen.flush()
  expect(await held()).toEqual(before)
})

test.each([
  ['a node', () => stolen],
  ['an operator', () => operator],
])('%s deletes nothing there, and changes nothing of the bucket', async (_, who) => {
  await push('blobs/y', noise(300_000, 2))
  const before = await held()
  for (const call of [
    `STREAM.PURGE.${STREAM}`,
    `STREAM.DELETE.${STREAM}`,
    `STREAM.UPDATE.${STREAM}`,
    `STREAM.MSG.DELETE.${STREAM}`,
    `STREAM.MSG.GET.${STREAM}`,
    `CONSUMER.CREATE.${STREAM}.c.$O.packages.>`,
    `CONSUMER.DURABLE.CREATE.${STREAM}.c`,
  ]) {
    const outcomes = [
      await ask(who(), `${API}.${call}`, { body: '{"seq":1}' }),
      await ask(who(), `$JS.API.${call}`, { body: '{"seq":1}' }),
    ]
    expect([call, outcomes]).toEqual([call, ['refused', 'refused']])
  }
  expect(await listen(who(), '$O.packages.>')).toBe('refused')
  expect(await held()).toEqual(before)
})

test('no header of an operator empties it or lets a message end by itself', async () => {
  const before = await held()
  for (const headers of [{ 'Nats-Rollup': 'all' }, { 'Nats-Rollup': 'sub' }, { 'Nats-TTL': '1s' }]) {
    const outcome = await ask(operator, ANY, { headers, body: 'x' })
    expect(outcome).toMatchObject({ text: expect.stringContaining('"error"') })
  }
  expect(await held()).toEqual(before)
})

test('whoever only looks neither writes nor reads there', async () => {
  const viewer = await bus.connect(await bus.member({ kind: 'operator', name: 'ann', role: 'viewer', sites: '*' }))
  expect(await ask(viewer, ANY, { body: 'x' })).toBe('refused')
  expect(await ask(viewer, `${API}.DIRECT.GET.${STREAM}`, { body: '{"seq":1}' })).toBe('refused')
  await viewer.close()
})
