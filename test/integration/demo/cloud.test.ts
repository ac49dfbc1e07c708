import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BLOCK_CONTENT_TYPE, BLOCK_HEADERS } from '../../../protocol/subjects.ts'
import { CloudEnd } from '../../../src/demo/cloud.ts'
import type { NatsServerProgram } from '../../../src/demo/nats-server.ts'
import { DEMO_STREAM } from '../../../src/demo/nats-stream.ts'

const SUBJECT = 'edge.plant-a.node-1.results'

async function cloudEnd(findProgram?: () => Promise<NatsServerProgram | null>) {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgedeck-cloud-'))
  const pids = new Set<number>()
  const cloud = new CloudEnd({
    dir,
    onSpawn: (pid) => pids.add(pid),
    onExit: (pid) => pids.delete(pid),
    ...(findProgram === undefined ? {} : { findProgram }),
  })
  await cloud.start()
  onTestFinished(async () => {
    await cloud.down()
    await rm(dir, { recursive: true, force: true })
  })
  return { cloud, pids }
}

describe('the cloud end on a nats-server', () => {
  async function heldBy(url: string, use: 'publish' | 'count'): Promise<number> {
    const connection = await connect({ servers: url })
    try {
      if (use === 'publish') return (await jetstream(connection).publish(SUBJECT, 'block')).seq
      return (await (await jetstreamManager(connection)).streams.info(DEMO_STREAM)).state.messages
    } finally {
      await connection.close()
    }
  }

  it('holds blocks in a stream of its own, also across down and up on the same port', async () => {
    const { cloud, pids } = await cloudEnd()
    expect(cloud.kind).toBe('nats')
    const url = cloud.url as string
    expect(url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/)
    expect(pids.size).toBe(1)
    expect(await heldBy(url, 'publish')).toBe(1)

    await cloud.down()
    expect(cloud.isUp).toBe(false)
    await vi.waitFor(() => expect(pids.size).toBe(0), 60_000)
    await expect(connect({ servers: url, maxReconnectAttempts: 0, timeout: 1000 })).rejects.toThrow()

    await cloud.up()
    expect(cloud.url).toBe(url)
    await vi.waitFor(async () => expect(await heldBy(url, 'count')).toBe(1), { timeout: 60_000, interval: 100 })
    expect(await heldBy(url, 'publish')).toBe(2)
  })
})

describe('the cloud end without a nats-server', () => {
  const record = '{"seq":1,"node_id":"node-1","timestamp":1}\n'
  const EPOCH = 'e'.repeat(32)
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

  interface Post {
    readonly lines?: string
    readonly body?: Uint8Array<ArrayBuffer>
    readonly firstSeq?: number
    readonly lastSeq?: number
    readonly epoch?: string
    readonly prevSeq?: number
    readonly prevDigest?: string
    readonly encoding?: string
  }

  function post(url: string, sent: Post): Promise<Response> {
    const { lines = record, firstSeq = 1, lastSeq = firstSeq, epoch = EPOCH, prevSeq = 0, encoding = 'gzip' } = sent
    return fetch(url, {
      method: 'POST',
      body: sent.body ?? new Uint8Array(gzipSync(lines)),
      headers: {
        [BLOCK_HEADERS.contentType]: BLOCK_CONTENT_TYPE,
        [BLOCK_HEADERS.contentEncoding]: encoding,
        [BLOCK_HEADERS.epoch]: epoch,
        [BLOCK_HEADERS.firstSeq]: String(firstSeq),
        [BLOCK_HEADERS.lastSeq]: String(lastSeq),
        [BLOCK_HEADERS.digest]: sha256(lines),
        [BLOCK_HEADERS.prevSeq]: String(prevSeq),
        ...(sent.prevDigest === undefined ? {} : { [BLOCK_HEADERS.prevDigest]: sent.prevDigest }),
        [BLOCK_HEADERS.subject]: SUBJECT,
      },
    })
  }

  interface Listed {
    readonly blocks: readonly { readonly number: number; readonly headers: Record<string, string> }[]
  }

  async function list(url: string): Promise<Listed['blocks']> {
    return ((await (await fetch(url)).json()) as Listed).blocks
  }

  it('keeps blocks and shows them, also across down and up on the same port', async () => {
    const { cloud } = await cloudEnd(async () => null)
    expect(cloud.kind).toBe('http')
    const url = cloud.url as string
    const stored = await post(url, {})
    expect(stored.status).toBe(200)

    await cloud.down()
    await expect(fetch(url)).rejects.toThrow()
    await cloud.up()
    expect(cloud.url).toBe(url)
    // The same archive, started again.
    const { headers } = await fetch(url, { method: 'HEAD' })
    expect(headers.get(BLOCK_HEADERS.receiver)).toBe(stored.headers.get(BLOCK_HEADERS.receiver))
    expect(headers.get(BLOCK_HEADERS.receiverStart)).toMatch(/^[0-9a-f]{16}$/)
    expect(headers.get(BLOCK_HEADERS.receiverStart)).not.toBe(stored.headers.get(BLOCK_HEADERS.receiverStart))

    const [block] = await list(`${url}?subject=results`)
    expect(block?.headers).toMatchObject({ 'edge-subject': SUBJECT, 'edge-first-seq': '1', 'content-encoding': 'gzip' })
    expect(await (await fetch(`${url}/${block?.number}`)).text()).toBe(record)
    expect(await list(`${url}?subject=alerts`)).toEqual([])
  })

  it('refuses a block that is too large and what it does not know', async () => {
    const { cloud } = await cloudEnd(async () => null)
    const url = cloud.url as string
    expect((await post(url, { body: new Uint8Array(1024 * 1024 + 1) })).status).toBe(413)
    expect((await post(url, { lines: 'x'.repeat(4 * 1024 * 1024 + 1) })).status).toBe(413)
    expect((await fetch(`${url}/none`)).status).toBe(404)
    expect((await fetch(`${url}/..%2f..%2fpasswd`)).status).toBe(404)
    expect(await list(url)).toEqual([])
  })

  it('stores what follows on what it holds, once, and answers everything else with what it holds', async () => {
    const { cloud } = await cloudEnd(async () => null)
    const url = cloud.url as string
    const second = record.replace('"seq":1', '"seq":2')
    expect((await post(url, {})).status).toBe(200)
    expect((await post(url, {})).status).toBe(200)
    const next = { lines: second, firstSeq: 2, prevSeq: 1 }
    const foreign = await post(url, { ...next, prevDigest: sha256('something else') })
    expect(foreign.status).toBe(409)
    expect(foreign.headers.get(BLOCK_HEADERS.heldLastSeq)).toBe('1')
    expect(foreign.headers.get(BLOCK_HEADERS.heldDigest)).toBe(sha256(record))
    expect((await post(url, { ...next, prevDigest: sha256(record) })).status).toBe(200)
    expect((await post(url, {})).status).toBe(409)
    expect((await post(url, { epoch: 'f'.repeat(32) })).status).toBe(200)
    expect(await list(url)).toHaveLength(3)

    const asked = await fetch(url, { method: 'HEAD', headers: { 'Edge-Subject': SUBJECT, 'Edge-Epoch': EPOCH } })
    const told = (name: string): string | null => asked.headers.get(name)
    expect([told('Edge-Held-Last-Seq'), told('Edge-Held-Digest')]).toEqual(['2', sha256(second)])
    expect([told('Edge-Held-Epoch'), told('Accept-Encoding')]).toEqual(['f'.repeat(32), 'zstd, gzip'])
    const nothing = await fetch(url, { method: 'HEAD', headers: { 'Edge-Subject': SUBJECT, 'Edge-Epoch': 'a' } })
    expect(nothing.headers.get('Edge-Held-Last-Seq')).toBeNull()
    expect(nothing.headers.get('Edge-Receiver')).toBe(told('Edge-Receiver'))
  })

  it('refuses a body that is not what its headers say', async () => {
    const { cloud } = await cloudEnd(async () => null)
    const url = cloud.url as string
    const other = new Uint8Array(gzipSync('{"seq":9}\n'))
    expect((await post(url, { body: other })).status).toBe(400)
    expect((await post(url, { body: new Uint8Array(100) })).status).toBe(400)
    expect((await post(url, { encoding: 'br' })).status).toBe(415)
    expect((await post(url, { firstSeq: 3, lastSeq: 2 })).status).toBe(400)
    expect(await list(url)).toEqual([])
  })
})
