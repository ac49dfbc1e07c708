import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { InferenceServer } from '../../../edge-daemon/inference/server.ts'
import { failAccept } from '../../support/failing-accept.ts'
import { type InferenceNode, startInferenceNode } from '../../support/inference-node.ts'
import { pngClaiming, samplePicture } from '../../support/pictures.ts'

const picture = samplePicture(7)
const JSON_TYPE = 'application/json'

let node: InferenceNode
beforeAll(async () => {
  node = await startInferenceNode({ server: { lingerMs: 1500 } })
})
afterAll(() => node.stop())

const extra: InferenceNode[] = []
afterEach(async () => {
  for (const other of extra.splice(0)) await other.stop()
})

async function post(url: string, contentType: string, body: string | Buffer) {
  const response = await fetch(`${url}/infer`, {
    method: 'POST',
    headers: { 'Content-Type': contentType },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  })
  return { status: response.status, headers: response.headers, answer: (await response.json()) as { msg: string } }
}

/** Send raw bytes and read until the server closes. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytes)
  return text(socket)
}

describe('a malformed request', () => {
  it.each([
    ['broken JSON', JSON_TYPE, '{"image_base64": "abc', 400],
    ['a missing field', JSON_TYPE, '{"image": "abcd"}', 400],
    ['an empty body', JSON_TYPE, '', 400],
    ['what is not base64', JSON_TYPE, '{"image_base64": "§§§ not base64"}', 400],
    ['a form', 'application/x-www-form-urlencoded', 'image_base64=abcd', 415],
    ['a picture of more pixels than allowed', 'image/png', pngClaiming(50_000, 50_000), 413],
  ])('%s is answered with what to send, counted, and not kept', async (_, type, body, status) => {
    const before = node.meters.counters()
    const kept = node.kept.length
    const refused = await post(node.url, type, body)
    expect(refused.status).toBe(status)
    expect(refused.answer).toEqual({
      code: status,
      msg: expect.stringMatching(/send|encode/),
      node_id: 'node-1',
      timestamp: expect.any(Number),
    })
    const after = node.meters.counters()
    expect([after.malformed - before.malformed, after.requests - before.requests]).toEqual([1, 1])
    expect(node.kept).toHaveLength(kept)
  })

  it('that is not HTTP gets 400 and the connection is closed', async () => {
    expect(await raw(node.url, '\x16\x03\x01 hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":400/s)
  })

  it('that trickles in is cut with 408', async () => {
    const strict = await startInferenceNode({ server: { headTimeoutMs: 400, requestTimeoutMs: 800 } })
    extra.push(strict)
    expect(await raw(strict.url, 'POST /infer HTTP/1.1\r\nHost: x\r\nX-Slow: ')).toMatch(/^HTTP\/1\.1 408 /)
    const head = 'POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n'
    expect(await raw(strict.url, `${head}abc`)).toMatch(/^HTTP\/1\.1 408 /)
    expect(strict.meters.counters()).toMatchObject({ requests: 2, malformed: 2, rawBytes: 3 })
  })
})

describe('a body over the limit', () => {
  it('of 50 MB is answered with 413 while it is still being sent, and never held', async () => {
    const memory = process.memoryUsage().arrayBuffers
    let peak = 0
    const { promise, resolve } = Promise.withResolvers<{ status: number | undefined; sentBytes: number }>()
    const sent = request(`${node.url}/infer`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png', 'Transfer-Encoding': 'chunked' },
    })
    const chunk = Buffer.alloc(1_000_000)
    let sentBytes = 0
    sent.on('response', (response) => resolve({ status: response.resume().statusCode, sentBytes }))
    sent.on('error', () => {})
    const push = (): void => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - memory)
      if (sentBytes >= 50e6) {
        sent.end()
        return
      }
      sentBytes += chunk.length
      sent.write(chunk, push)
    }
    push()
    const answered = await promise
    expect(answered.status).toBe(413)
    expect(answered.sentBytes).toBeLessThan(40e6)
    expect(peak).toBeLessThan(30e6)
    sent.destroy()
  })

  it('is refused by its announced length, also before a client that asks sends it', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const sent = request(`${node.url}/infer`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png', 'Content-Length': 50e6, Expect: '100-continue' },
    })
    sent.on('continue', () => resolve('continue'))
    sent.on('response', (response) => resolve(`${response.resume().statusCode}`)).on('error', () => {})
    sent.flushHeaders()
    expect(await promise).toBe('413')
    sent.destroy()
  })

  it('that never ends is cut after the answer', async () => {
    const head = 'POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 50000000\r\n\r\n'
    expect(await raw(node.url, head)).toMatch(/^HTTP\/1\.1 413 /)
  })
})

describe('what came to the model', () => {
  it.each([
    ['text', Buffer.from('this is not a picture at all, whatever it is called')],
    ['half a PNG', picture.subarray(0, picture.length / 2)],
    ['a PNG whose data is a bomb', pngClaiming(28, 28, Buffer.alloc(20_000_000))],
  ])('and is no picture (%s) is 422, kept as a result, and points to its record', async (_, body) => {
    const refused = await post(node.url, 'image/png', body)
    expect(refused.status).toBe(422)
    expect(refused.answer).toMatchObject({ code: 422, stored: true, seq: node.kept.length, node_id: 'node-1' })
    expect(node.kept.at(-1)).toMatchObject({ code: 422, pred: null, confidence: null, bytes: body.length })
    expect(node.kept.at(-1)?.msg).toBe(refused.answer.msg)
    expect((await post(node.url, 'image/png', picture)).status).toBe(200)
  })

  it('is answered with stored false when the disk refuses, or the store breaks', async () => {
    const refusing = await startInferenceNode({ server: { keep: async () => ({ stored: false }) } })
    const breaking = await startInferenceNode({ server: { keep: () => Promise.reject(new Error('gone')) } })
    extra.push(refusing, breaking)
    for (const other of [refusing, breaking]) {
      const { status, answer } = await post(other.url, 'image/png', picture)
      expect(status).toBe(200)
      expect(answer).toMatchObject({ code: 200, pred: 7, stored: false, epoch: null, seq: null })
      expect(other.meters.counters()).toMatchObject({ ok: 1, notStored: 1 })
    }
  })

  it('counts by what the filter found', async () => {
    const filtered = await startInferenceNode({
      server: { keep: async () => ({ stored: true, epoch: 'e', seq: 1, reason: 'low_confidence', overRate: true }) },
    })
    extra.push(filtered)
    await post(filtered.url, 'image/png', picture)
    expect(filtered.meters.counters()).toMatchObject({ requests: 1, ok: 0, abnormal: 1, overRate: 1 })
  })
})

describe('a node under more than it takes', () => {
  it('refuses with 503 and when to come back, and serves what it took', async () => {
    const small = await startInferenceNode({ service: { queueLimit: 4, batchMax: 1, slowMs: 600 } })
    extra.push(small)
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(small.url, 'image/png', picture)))
    const refused = answers.filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]?.headers.get('retry-after')).toBe('1')
    expect(refused[0]?.answer.msg).toContain('inference.queueLimit')
    const served = answers.filter(({ status }) => status === 200)
    expect(served.length).toBeGreaterThanOrEqual(5)
    expect(served.length + refused.length).toBe(30)
    expect(small.kept).toHaveLength(served.length)
    expect(small.meters.counters()).toMatchObject({ ok: served.length, failed: refused.length })
  })
})

describe('an address that cannot be opened', () => {
  const open = (host: string, port: number): Promise<unknown> =>
    new InferenceServer({
      listen: { host, port },
      nodeName: 'node-1',
      bodyLimitBytes: 10e6,
      service: node.service,
      meters: node.meters,
      keep: async () => ({ stored: false }),
      isReady: () => ({ ready: true }),
      metricsText: () => '',
    }).start()

  it('is an error that names the setting', async () => {
    const port = Number(new URL(node.url).port)
    await expect(open('127.0.0.1', port)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      next: [expect.stringContaining('inference.listen')],
    })
    await expect(open('203.0.113.7', 0)).rejects.toMatchObject({ code: 'CONFIG_UNSERVABLE' })
  })
})

it('a connection that the system cannot accept costs that connection alone', async () => {
  await failAccept(`${node.url}/healthz`)
  expect((await post(node.url, 'image/png', picture)).status).toBe(200)
})
