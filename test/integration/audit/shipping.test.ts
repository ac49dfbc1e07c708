import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { OperatorAuditRecord } from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import { JournalFile } from '../../../src/audit/journal-file.ts'
import { shippedThrough } from '../../../src/audit/shipped-mark.ts'
import { readRegionAudit } from '../../../src/cloud/audit-reader.ts'
import { shipTo } from '../../../src/cloud/audit-shipper.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import { accessOf, natsBus } from '../../support/nats-bus.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-shipping-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

const SUBJECT = 'audit.operator.mia'
const regionAt = ({ url }: { readonly url: string }): CloudAddress => ({ name: 'eu', servers: [url], stream: 'EDGE' })

function journal(name: string): JournalFile {
  return new JournalFile(join(dir, `${name}.ndjson`), 'mia')
}

async function write(file: JournalFile, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await file.append({ timestamp: Date.now(), phase: 'intent', verb: 'resend', node: { key: 'press-4' } })
  }
}

async function held(nats: NatsFixture): Promise<OperatorAuditRecord[]> {
  const messages = await nats.messages(SUBJECT)
  return messages.flatMap(({ data }) =>
    new TextDecoder()
      .decode(data)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
}

test('brings each journal of an operator to the stream once, whoever was last and whatever got lost', async () => {
  await using nats = await natsFixture()
  const region = regionAt(nats)
  const [laptop, bastion] = [journal('laptop'), journal('bastion')]
  await write(laptop, 3)
  expect((await shipTo(region, laptop, 60_000))?.toLine()).toMatch(/kept here and not in eu yet.*nats setup/)
  await nats.addAuditStream()
  expect(await shipTo(region, laptop, 60_000)).toBeNull()
  await write(bastion, 250)
  await write(laptop, 2)
  await nats.kill()
  expect(await shipTo(region, laptop, 60_000)).toMatchObject({ code: 'CLOUD_UNREACHABLE' })
  await nats.restart()
  // Two consoles over one file, and another machine, at the same time.
  expect(await Promise.all([laptop, laptop, bastion].map((file) => shipTo(region, file, 60_000)))).toEqual([
    null,
    null,
    null,
  ])
  expect(await shipTo(region, laptop, 60_000)).toBeNull()

  const records = await held(nats)
  for (const [file, count] of [
    [laptop, 5],
    [bastion, 250],
  ] as const) {
    const id = file.read()[0]?.record?.journal ?? ''
    const own = records.filter((record) => record.journal === id)
    expect(own.map(({ chain }) => chain.n)).toEqual(Array.from({ length: count }, (_, n) => n + 1))
    expect(checkChain(own).faults).toEqual([])
    expect(shippedThrough(file.path, id)).toBe(count)
  }
  expect(records).toHaveLength(255)
})

test('a viewer may write down what it does, and read, delete or purge nothing; an operator reads it', async () => {
  await using bus = await natsBus()
  const viewer = await bus.member({ kind: 'operator', name: 'mia', role: 'viewer', sites: ['plant'] })
  const operator = await bus.member({ kind: 'operator', name: 'ben', role: 'operator', sites: ['plant'] })
  const as = (member: typeof viewer): CloudAddress => ({
    name: 'hub',
    servers: [bus.url],
    stream: 'EDGE',
    access: () => accessOf(bus, member),
  })
  const file = journal('mia')
  await write(file, 2)
  expect(await shipTo(as(viewer), file, 60_000)).toBeNull()
  await write(file, 1)
  expect(await shipTo(as(viewer), file, 60_000)).toBeNull()
  // The journal of somebody else does not go under one's own name.
  expect((await shipTo(as(operator), file, 60_000))?.message).toMatch(/permission/i)

  const query = { sites: ['plant'], fromMs: 0, timeoutMs: 60_000 } as const
  const signal = new AbortController().signal
  const read = await readRegionAudit(as(operator), query, signal)
  expect(read).toMatchObject({ isRead: true, error: null, unreadable: [] })
  expect(read.operators.map(({ record }) => record.chain.n)).toEqual([1, 2, 3])
  // Part of it is not all of it; and who asks for one node is not given the others.
  expect(await readRegionAudit(as(operator), { ...query, limit: 2 }, signal)).toMatchObject({ truncated: true })
  const named = await readRegionAudit(as(operator), { ...query, names: ['plant/n1', 'n2', 'other/n1'] }, signal)
  expect(named).toMatchObject({ isRead: true, error: null, nodes: [] })
  expect((await readRegionAudit(as(operator), query, AbortSignal.abort())).error?.message).toMatch(
    /not read to its end/,
  )
  expect((await readRegionAudit(as(viewer), query, signal)).error?.message).toMatch(/permission/i)

  for (const member of [viewer, operator]) {
    const connection = await bus.connect(member)
    for (const call of [
      'STREAM.PURGE.AUDIT',
      'STREAM.MSG.DELETE.AUDIT',
      'STREAM.DELETE.AUDIT',
      'STREAM.UPDATE.AUDIT',
    ]) {
      for (const prefix of ['$JS.API', '$JS.archive.API']) {
        await expect(connection.request(`${prefix}.${call}`, '{"seq":1}', { timeout: 800 })).rejects.toThrow()
      }
    }
    await connection.close()
  }
  // Not even who keeps the streams.
  await bus.operate(async ({ streams }) => {
    await expect(streams.purge('AUDIT')).rejects.toThrow(/purge/)
    await expect(streams.deleteMessage('AUDIT', 1)).rejects.toThrow(/delete/)
    await expect(streams.update('AUDIT', { deny_delete: false, deny_purge: false })).rejects.toThrow(/deny/)
  })
  expect((await readRegionAudit(as(operator), query, signal)).operators).toHaveLength(3)
})
