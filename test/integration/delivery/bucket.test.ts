import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Objm } from '@nats-io/obj'
import { connect } from 'nats'
import { describe, expect, it } from 'vitest'
import { NatsSource } from '../../../edge-daemon/delivery/nats-source.ts'
import { bucketSubjects, CHUNK_BYTES } from '../../../protocol/object-store.ts'
import { type BucketRoute, type PushedObject, pushObject, sha256Of } from '../../../src/cloud/bucket-push.ts'
import { type DeliveryHost, deliveryHost, type HostWishes, itemOf, noise } from '../../support/delivery-host.ts'
import { eventually } from '../../support/edge-daemon.ts'
import type { WrittenPackage } from '../../support/model-package.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { tcpLink } from '../../support/tcp-link.ts'

const MEGABYTE = 1_000_000
const FILES = { 'model.onnx': noise(3 * MEGABYTE), 'manifest.json': '{}' }

function objectOf(name: string, content: Uint8Array): PushedObject {
  const read = async (offset: number, length: number): Promise<Uint8Array> => content.subarray(offset, offset + length)
  return { name, sha256: sha256Of(content), sizeBytes: content.length, read }
}

function objectsOf({ folder, signed, digest }: WrittenPackage): PushedObject[] {
  const blobs = signed.statement.files.map(({ path, sha256 }) =>
    objectOf(`blobs/${sha256}`, readFileSync(join(folder, path))),
  )
  return [...blobs, objectOf(`packages/${digest}`, readFileSync(join(folder, 'package.sig')))]
}

async function addBucket(server: NatsFixture): Promise<void> {
  await server.operate((manager) =>
    manager.streams.add({ name: 'OBJ_packages', subjects: [...bucketSubjects('packages')], allow_direct: true }),
  )
}

async function routeTo(server: NatsFixture, more: Partial<BucketRoute> = {}) {
  const connection = await connect({ servers: server.url })
  const route: BucketRoute = {
    connection,
    apiPrefix: '$JS.API',
    bucket: 'packages',
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...more,
  }
  return Object.assign(route, { [Symbol.asyncDispose]: () => connection.close() })
}

async function pushAll(server: NatsFixture, made: WrittenPackage): Promise<void> {
  await using route = await routeTo(server)
  for (const object of objectsOf(made)) await pushObject(object, route)
}

function fetchFrom(
  host: DeliveryHost,
  servers: readonly string[],
  made: WrittenPackage,
  { signal = new AbortController().signal, stretch = 256 * 1024 }: { signal?: AbortSignal; stretch?: number } = {},
) {
  const delivery = host.delivery(() =>
    servers.map(
      (url) =>
        new NatsSource({
          name: url,
          bucket: 'packages',
          connection: () => ({ servers: url }),
          api: () => '$JS.API',
          stretchBytes: () => stretch,
          silenceMs: 5000,
        }),
    ),
  )
  return delivery.deliver(
    { item: itemOf(made), sources: [{ kind: 'nats', bucket: 'packages' }] },
    { signal, progress: () => {} },
  )
}

async function isAsMade({ folder }: { folder: string }, made: WrittenPackage): Promise<void> {
  for (const { path } of made.signed.statement.files) {
    expect((await readFile(join(folder, path))).equals(await readFile(join(made.folder, path)))).toBe(true)
  }
}

async function scene(wishes: HostWishes = {}) {
  const server = await natsFixture()
  await addBucket(server)
  const host = await deliveryHost(wishes)
  const made = await host.make(FILES)
  return {
    server,
    host,
    made,
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

describe('a package in a bucket', () => {
  it('is pushed once and comes from there', async () => {
    await using at = await scene()
    await pushAll(at.server, at.made)
    await using route = await routeTo(at.server)
    for (const object of objectsOf(at.made)) expect(await pushObject(object, route)).toEqual({ what: 'there' })
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
  })

  it('is read by a usual client of object stores, too', async () => {
    await using at = await scene()
    await pushAll(at.server, at.made)
    const connection = await connect({ servers: at.server.url })
    const store = await new Objm(connection).open('packages')
    for (const object of objectsOf(at.made)) {
      const content = await store.getBlob(object.name)
      expect(
        createHash('sha256')
          .update(content ?? new Uint8Array())
          .digest('hex'),
      ).toBe(object.sha256)
    }
    await connection.close()
  })

  it('that a usual client put there comes from there', async () => {
    await using at = await scene()
    await using own = await natsFixture()
    const connection = await connect({ servers: own.url })
    const store = await new Objm(connection).create('packages')
    for (const object of objectsOf(at.made)) {
      await store.putBlob({ name: object.name }, await object.read(0, object.sizeBytes))
    }
    await connection.close()
    await isAsMade(await fetchFrom(at.host, [own.url], at.made), at.made)
  })

  it('goes on in the middle, also where others wrote between its chunks', async () => {
    await using at = await scene()
    await using route = await routeTo(at.server)
    const other = await connect({ servers: at.server.url })
    let pushed = 0
    const between: BucketRoute = {
      ...route,
      pushed: () => {
        pushed += 1
        if (pushed % 5 === 0) other.publish('$O.packages.C.other', new Uint8Array(10))
      },
    }
    for (const object of objectsOf(at.made)) await pushObject(object, between)
    await other.close()
    // The connection carries the first part, and is cut then.
    await using link = await tcpLink(at.server.port)
    link.shape({ kbitPerSec: 2000 })
    const through = `nats://127.0.0.1:${link.port}`
    const cut = new AbortController()
    const fetching = fetchFrom(at.host, [through], at.made, { signal: cut.signal })
    const refused = expect(fetching).rejects.toMatchObject({ name: 'AbortError' })
    await eventually(
      async () => {
        const [part] = (await at.host.packages.begun(itemOf(at.made)))?.missing() ?? []
        return (part?.have ?? 0) > 4 * CHUNK_BYTES
      },
      { what: 'the first part has come' },
    )
    cut.abort()
    await refused
    const again = await at.host.reopen()
    const { asked, source } = counting(at.server)
    const delivery = again.delivery(() => [source])
    const wish = { item: itemOf(at.made), sources: [{ kind: 'nats' as const, bucket: 'packages' }] }
    await isAsMade(await delivery.deliver(wish, { signal: new AbortController().signal, progress: () => {} }), at.made)
    // Two or so questions to find the place, then what was missing.
    expect(asked[0]?.at).toBeGreaterThan(3 * CHUNK_BYTES)
  })

  it('is waited for while the server is gone', async () => {
    await using at = await scene()
    await pushAll(at.server, at.made)
    await at.server.kill()
    const coming = fetchFrom(at.host, [at.server.url], at.made)
    await eventually(() => at.host.said.length > 2)
    await at.server.restart()
    await isAsMade(await coming, at.made)
  })

  it('is looked for in the next region where the first has it not', async () => {
    await using at = await scene()
    await using empty = await natsFixture()
    await using emptyBucket = await natsFixture()
    await addBucket(emptyBucket)
    await pushAll(at.server, at.made)
    await isAsMade(await fetchFrom(at.host, [empty.url, emptyBucket.url, at.server.url], at.made), at.made)
    const other = await at.host.make({ a: 'a' }, { version: '5.0.0' })
    await expect(fetchFrom(at.host, [empty.url, emptyBucket.url], other)).rejects.toMatchObject({
      code: 'PACKAGE_MISSING',
      message: expect.stringMatching(/no such bucket.*has no packages/s),
    })
  })

  it('keeps below its cap', async () => {
    const bytesPerSec = 3 * MEGABYTE
    await using at = await scene({ bytesPerSec })
    await pushAll(at.server, at.made)
    const beganMs = performance.now()
    await fetchFrom(at.host, [at.server.url], at.made)
    const ratio = (3 * MEGABYTE * 1000) / (performance.now() - beganMs) / bytesPerSec
    expect(ratio).toBeLessThan(1.5)
  })
})

describe('a push', () => {
  it('goes on where one before was cut', async () => {
    await using at = await scene()
    const [blob] = objectsOf(at.made).filter(({ sizeBytes }) => sizeBytes > MEGABYTE)
    if (blob === undefined) throw new TypeError('there is a large one')
    const cut = new AbortController()
    let pushed = 0
    const onPushed = (): void => {
      pushed += 1
      if (pushed === 10) cut.abort(new Error('cut'))
    }
    await using first = await routeTo(at.server, { signal: cut.signal, pushed: onPushed })
    await expect(pushObject(blob, first)).rejects.toThrow('cut')
    await using second = await routeTo(at.server)
    expect(await pushObject(blob, second)).toEqual({ what: 'pushed', bytes: blob.sizeBytes - 10 * CHUNK_BYTES })
  })

  it('of two at the same time is whole', async () => {
    await using at = await scene()
    await Promise.all([pushAll(at.server, at.made), pushAll(at.server, at.made)])
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
  })

  it('passes over what somebody else put under its name', async () => {
    await using at = await scene()
    const connection = await connect({ servers: at.server.url })
    for (const object of objectsOf(at.made)) {
      connection.publish(`$O.packages.C.${object.sha256.slice(0, 32)}-0`, new Uint8Array(CHUNK_BYTES))
    }
    await connection.flush()
    await connection.close()
    await pushAll(at.server, at.made)
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
  })

  it('says that there is no bucket', async () => {
    await using at = await scene()
    await using route = await routeTo(at.server, { bucket: 'other' })
    await using bare = await natsFixture()
    await expect(pushAll(bare, at.made)).rejects.toThrow(/no bucket packages.*nats setup/)
    await expect(pushObject(objectsOf(at.made)[0] as PushedObject, route)).rejects.toThrow(/no bucket other/)
  })
})

/** A source that tells where each piece began. */
function counting(server: NatsFixture) {
  const asked: { at: number }[] = []
  const source = new NatsSource({
    name: 'counted',
    bucket: 'packages',
    connection: () => ({ servers: server.url }),
    api: () => '$JS.API',
    stretchBytes: () => 1024 * 1024,
  })
  const read = source.read.bind(source)
  source.read = async function* (...args) {
    for await (const piece of read(...args)) {
      asked.push({ at: piece.at })
      yield piece
    }
  }
  return { asked, source }
}
