import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readBusAccess } from '../../../edge-daemon/upstream/bus-files.ts'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { DaemonHome, postPicture } from '../../support/edge-daemon.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { type NatsBus, natsBus } from '../../support/nats-bus.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }
const N1 = { kind: 'node', site: 'plant', node: 'n1' } as const

let bus: NatsBus

beforeAll(async () => {
  bus = await natsBus()
})

afterAll(() => bus?.[Symbol.asyncDispose]())

let files = 0

/** A wire to the bus with credentials in a file; `write` puts others there, as a renewal does. */
function wireWithFile(port = bus.port) {
  files += 1
  const file = join(bus.dir, `${files}.creds`)
  const { certPem: cert, keyPem: key } = bus.identity
  const access = () =>
    readBusAccess({
      credentials: file,
      ownCredentials: '',
      ca: null,
      identity: () => ({ ca: bus.authority.rootPem, cert, key }),
    })
  const write = async (member: ReturnType<NatsBus['member']>): Promise<void> =>
    writeFileSync(file, (await member).creds, { mode: 0o600 })
  const servers = [`tls://localhost:${port}`]
  return { file, write, wire: new NatsWire({ servers, ackTimeoutMs: 30_000, clientName: 'n1', access }) }
}

test('credentials that ended are told with their end, asked about seldom, and renewed ones are taken without a restart', async () => {
  await using link = await tcpLink(bus.port)
  const { wire, write } = wireWithFile(link.port)
  const endedAt = Math.floor(Date.now() / 1000) * 1000 - 60_000
  await write(bus.member(N1, { expiresAtMs: endedAt }))
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 20))
  await using bench = uplinkOf(store, wire)
  bench.uplink.start()
  const ended = `the credentials of plant.n1 ended at ${new Date(endedAt).toISOString().replace('.000Z', 'Z')}; let the node renew`
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain(ended), SOON)
  await write(bus.member(N1))
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
  expect(link.connections()).toBe(2)
})

test('a node whose credentials end while it sends goes on with those that were renewed, and loses nothing', async () => {
  await using link = await tcpLink(bus.port)
  const { wire, write } = wireWithFile(link.port)
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wire)
  await store.append(someRecords('abnormal', 20))
  await write(bus.member(N1, { expiresAtMs: Date.now() + 2500 }))
  bench.uplink.start()
  const isDrained = (): boolean => bench.uplink.status().state === 'up' && bench.uplink.status().backlogRecords === 0
  // On a busy machine they may end before it is there.
  for (let lifeMs = 5000; ; lifeMs *= 2) {
    await vi.waitFor(() => expect(isDrained() || bench.uplink.status().error?.includes('ended at')).toBe(true), SOON)
    if (isDrained()) break
    await write(bus.member(N1, { expiresAtMs: Date.now() + lifeMs }))
  }
  const before = link.connections()
  await write(bus.member(N1))
  await vi.waitFor(() => expect(link.connections()).toBeGreaterThan(before), SOON)
  await store.append(someRecords('abnormal', 20))
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
})

test('what is wrong with credentials is said: none, of another node, taken from a file that others read, damaged', async () => {
  const { wire: others, write } = wireWithFile()
  await write(bus.member({ ...N1, node: 'n9' }))
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 20))
  {
    await using bench = uplinkOf(store, others)
    bench.uplink.start()
    await vi.waitFor(
      () => expect(bench.uplink.status().error).toMatch(/the credentials do not allow \S+edge\.plant\.n1\./),
      SOON,
    )
  }
  const { wire, file, write: rewrite } = wireWithFile()
  await rewrite(bus.member(N1))
  chmodSync(file, 0o644)
  wire.start(() => {})
  await vi.waitFor(() => expect(wire.error).toContain(`chmod 600 ${file}`), SOON)
  await wire.stop()
  const { wire: damaged, file: other } = wireWithFile()
  writeFileSync(other, 'nothing', { mode: 0o600 })
  damaged.start(() => {})
  await vi.waitFor(() => expect(damaged.error).toContain(`${other} holds no credentials`), SOON)
  await damaged.stop()
  const { certPem: cert, keyPem: key } = bus.identity
  const access = () => ({ credentials: null, tls: { ca: bus.authority.rootPem, own: { cert, key } } })
  const bare = new NatsWire({ servers: [bus.url], ackTimeoutMs: 30_000, clientName: 'n1', access })
  bare.start(() => {})
  await vi.waitFor(() => expect(bare.error).toContain('the servers ask for credentials'), SOON)
  await bare.stop()
})

test('a server that the fleet did not sign for is left, before anything is said to it', async () => {
  const { wire: strange } = wireWithFile()
  const access = () => ({ credentials: null, tls: { ca: null, own: null } })
  const wire = new NatsWire({ servers: [bus.url], ackTimeoutMs: 30_000, clientName: 'n1', access })
  wire.start(() => {})
  await vi.waitFor(() => expect(wire.error).toMatch(/self-signed certificate|unable to (?:get|verify)/), SOON)
  await wire.stop()
  await strange.stop()
})

test('counts the bytes that a link in between sees, TLS and all', async () => {
  await using link = await tcpLink(bus.port)
  const { wire, write } = wireWithFile(link.port)
  await write(bus.member(N1))
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 500))
  await using bench = uplinkOf(store, wire)
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
  const counted = (): number => Object.values(bench.uplink.sentBytes()).reduce((sum, bytes) => sum + bytes, 0)
  await vi.waitFor(() => expect(counted()).toBe(link.clientBytes()), SOON)
})

test('a daemon that has joined brings its records to the bus with what its identity holds, as the node of its certificate', async () => {
  await using home = new DaemonHome()
  const self = await bus.authority.node('werk', 'press-4')
  const identity = join(home.stateDir, 'identity')
  mkdirSync(identity, { mode: 0o700 })
  cpSync(self.dir, identity, { recursive: true })
  const { creds } = await bus.member({ kind: 'node', site: 'werk', node: 'press-4' })
  writeFileSync(join(identity, 'nats.creds'), creds, { mode: 0o600 })
  home.configure({
    'node.name': 'press-4',
    'node.site': 'werk',
    'upstream.nats.servers': [bus.url],
    'upstream.nats.syncedAfter': '1s',
  })
  const { inferUrl } = await home.serve()
  await postPicture(inferUrl, Buffer.from('no picture'))
  await vi.waitFor(async () => {
    const { state } = await bus.operate(({ streams }) =>
      streams.info('EDGE', { subjects_filter: 'edge.werk.press-4.results' }),
    )
    expect(Object.keys(state.subjects ?? {})).toEqual(['edge.werk.press-4.results'])
  }, SOON)
})
