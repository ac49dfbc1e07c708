import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { packageKeyId } from '../../../identity/package-signature.ts'
import { statementObject } from '../../../protocol/object-store.ts'
import { packagesConfiguration } from '../../../protocol/stream-config.ts'
import { packagesIn } from '../../../src/cloud/bucket-packages.ts'
import { pushObject, sha256Of } from '../../../src/cloud/bucket-push.ts'
import { openCloud } from '../../../src/cloud/cloud-connection.ts'
import { LocalPackages } from '../../../src/commands/local-packages.ts'
import { runModelPush } from '../../../src/commands/model-push.ts'
import { bucketPlaces, folderPlace } from '../../../src/commands/screen-packages.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import type { PackagePlace } from '../../../src/ui/rollouts/face.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { noise, PACKAGE_KEY } from '../../support/delivery-host.ts'
import { type WrittenPackage, writePackage } from '../../support/model-package.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-bucket-packages-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const { signal } = new AbortController()
const SOURCES = [{ kind: 'nats', bucket: 'packages' }] as const

function addressOf({ url }: NatsFixture): CloudAddress {
  return { name: 'bus', servers: [url], stream: 'EDGE' }
}

function placeOf(...servers: NatsFixture[]): PackagePlace {
  const [place] = bucketPlaces(servers.map(addressOf), 'packages', SOURCES)
  if (place === undefined) throw new TypeError('no region')
  return place
}

async function withBucket(): Promise<NatsFixture> {
  const server = await natsFixture()
  await server.operate((manager) => manager.streams.add({ ...packagesConfiguration({ maxBytes: 1e8 }) } as never))
  return server
}

async function make(name: string, files: Record<string, string | Uint8Array> = { 'manifest.json': '{}' }) {
  return writePackage(join(dir, name), files, { keys: [PACKAGE_KEY] })
}

async function push(server: NatsFixture, { folder }: WrittenPackage): Promise<void> {
  const io = new CapturedIo()
  const isWhole = await runModelPush(
    {
      folder,
      to: { kind: 'bucket', bucket: 'packages' },
      clouds: [addressOf(server)],
      nodesOf: async () => [],
      access: { version: '0.0.0' },
      format: 'json',
      timeoutMs: 60_000,
    },
    io,
  )
  expect(isWhole).toBe(true)
}

async function inBucket<T>(
  server: NatsFixture,
  use: (door: Parameters<typeof packagesIn>[0]) => Promise<T>,
): Promise<T> {
  const opened = await openCloud(addressOf(server), { timeoutMs: 60_000, reconnects: 0 })
  try {
    return await use({ ...opened, bucket: 'packages', timeoutMs: 60_000, signal })
  } finally {
    await opened.connection.close()
  }
}

it('lists what was pushed, the newest first, with what each says of itself', async () => {
  await using server = await withBucket()
  const place = placeOf(server)
  expect(await place.read(signal)).toEqual({ offers: [], faults: [] })
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`labels/f${at}`, `${at}`]))
  const old = await make('old', { 'model.onnx': noise(300_000), ...many })
  const fresh = await make('fresh', { 'settings.yaml': 'a: 1' })
  await push(server, old)
  await push(server, fresh)
  const { offers, faults } = await place.read(signal)
  expect(faults).toEqual([])
  expect(offers.map(({ item }) => item.digest)).toEqual([fresh.digest, old.digest])
  const { kind, name, version, files } = old.signed.statement
  expect(offers[1]).toMatchObject({
    item: { kind, name, version, digest: old.digest },
    sizeBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    signedBy: [packageKeyId(PACKAGE_KEY).slice(0, 16)],
    where: 'bucket packages',
    push: null,
    sources: SOURCES,
  })
  expect(offers[1]?.sinceMs).toBeGreaterThan(1e12)
})

it('offers nothing that is not what its name says, and tells of it', async () => {
  await using server = await withBucket()
  const made = await make('good')
  await push(server, made)
  const lie = Buffer.from(JSON.stringify({ ...made.signed, statement: { ...made.signed.statement, version: '9.9.9' } }))
  const digest = 'ab'.repeat(32)
  await inBucket(server, (door) =>
    pushObject(
      {
        name: statementObject(digest),
        sha256: sha256Of(lie),
        sizeBytes: lie.length,
        read: async (offset, length) => lie.subarray(offset, offset + length),
      },
      door,
    ),
  )
  const { offers, faults } = await placeOf(server).read(signal)
  expect(offers.map(({ item }) => item.digest)).toEqual([made.digest])
  expect(faults).toEqual([`bucket packages: the statement of ${digest.slice(0, 12)} is damaged`])
})

it('names the region where there are several', async () => {
  const regions = ['east', 'west'].map((name) => ({ name, servers: ['nats://127.0.0.1:1'], stream: 'EDGE' }))
  expect(bucketPlaces(regions, 'packages', SOURCES).map(({ name }) => name)).toEqual([
    'bucket packages at east',
    'bucket packages at west',
  ])
})

it('says why a bucket cannot be read: none there, or nobody answers', async () => {
  await using server = await natsFixture()
  await expect(inBucket(server, packagesIn)).rejects.toThrow(
    'there is no bucket packages: edgedeck nats setup makes it',
  )
  await server.kill()
  await expect(placeOf(server).read(signal)).rejects.toThrow()
})

it('tells what packages of a folder say, and how they come to where nodes fetch them', async () => {
  const { digest } = await make('digits-2')
  const clouds = [{ name: 'east', servers: ['nats://127.0.0.1:1'], stream: 'EDGE' }]
  const near = await folderPlace(dir, new LocalPackages({ clouds, signal }), SOURCES).read(signal)
  expect(near.offers).toMatchObject([
    { item: { digest }, where: './digits-2, brought to the bucket first', push: null },
  ])
  const alone = new LocalPackages({ clouds: [], signal })
  expect((await folderPlace(dir, alone, [{ kind: 'link' }]).read(signal)).offers).toMatchObject([
    {
      item: { digest },
      where: './digits-2',
      push: 'not seen where nodes fetch it: edgedeck model push ./digits-2 --to nodes',
    },
  ])
  await expect(folderPlace(join(dir, 'none'), alone, SOURCES).read(signal)).rejects.toMatchObject({
    code: 'PACKAGE_MISSING',
  })
})
