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
    await vi.waitFor(() => expect(pids.size).toBe(0))
    await expect(connect({ servers: url, maxReconnectAttempts: 0, timeout: 1000 })).rejects.toThrow()

    await cloud.up()
    expect(cloud.url).toBe(url)
    await vi.waitFor(async () => expect(await heldBy(url, 'count')).toBe(1), { timeout: 10_000, interval: 100 })
    expect(await heldBy(url, 'publish')).toBe(2)
  })
})

describe('the cloud end without a nats-server', () => {
  const record = '{"seq":1,"node_id":"node-1","timestamp":1}\n'

  function post(url: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
    return fetch(url, {
      method: 'POST',
      body,
      headers: {
        [BLOCK_HEADERS.contentType]: BLOCK_CONTENT_TYPE,
        [BLOCK_HEADERS.contentEncoding]: 'gzip',
        [BLOCK_HEADERS.firstSeq]: '1',
        'Edge-Subject': SUBJECT,
      },
    })
  }

  interface Listed {
    readonly blocks: readonly { readonly file: string; readonly headers: Record<string, string> }[]
  }

  async function list(url: string): Promise<Listed['blocks']> {
    return ((await (await fetch(url)).json()) as Listed).blocks
  }

  it('keeps blocks and shows them, also across down and up on the same port', async () => {
    const { cloud } = await cloudEnd(async () => null)
    expect(cloud.kind).toBe('http')
    const url = cloud.url as string
    expect((await post(url, new Uint8Array(gzipSync(record)))).status).toBe(200)

    await cloud.down()
    await expect(fetch(url)).rejects.toThrow()
    await cloud.up()
    expect(cloud.url).toBe(url)

    const [block] = await list(`${url}?subject=results`)
    expect(block?.headers).toMatchObject({ 'edge-subject': SUBJECT, 'edge-first-seq': '1', 'content-encoding': 'gzip' })
    expect(await (await fetch(`${url}/${block?.file}`)).text()).toBe(record)
    expect(await list(`${url}?subject=alerts`)).toEqual([])
  })

  it('refuses a block that is too large and what it does not know', async () => {
    const { cloud } = await cloudEnd(async () => null)
    const url = cloud.url as string
    expect((await post(url, new Uint8Array(1024 * 1024 + 1))).status).toBe(413)
    expect((await fetch(`${url}/none`)).status).toBe(404)
    expect((await fetch(`${url}/..%2f..%2fpasswd`)).status).toBe(404)
    expect(await list(url)).toEqual([])
  })
})
