import { request } from 'node:http'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type InferenceNode, startInferenceNode, TEST_EPOCH } from '../../support/inference-node.ts'
import { patternedPixels, samplePicture } from '../../support/pictures.ts'

let node: InferenceNode
beforeAll(async () => {
  node = await startInferenceNode()
})
afterAll(() => node.stop())

const seven = samplePicture(7)

function postImage(body: Buffer, type = 'image/png'): Promise<Response> {
  return fetch(`${node.url}/infer`, { method: 'POST', headers: { 'Content-Type': type }, body: new Uint8Array(body) })
}

function postJson(value: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' }
  return fetch(`${node.url}/infer`, { method: 'POST', headers, body: JSON.stringify(value) })
}

describe('POST /infer', () => {
  it('answers base64 JSON with the fields of I1 and where the record lies', async () => {
    const before = Date.now()
    const response = await postJson({ image_base64: seven.toString('base64') })
    const answer = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(answer).toEqual({
      code: 200,
      pred: 7,
      confidence: expect.any(Number),
      node_id: 'node-1',
      timestamp: expect.any(Number),
      epoch: TEST_EPOCH,
      seq: node.kept.length,
      stored: true,
      model: 'digits@1.0.0',
    })
    expect(answer.confidence).toBeGreaterThan(0.6)
    expect(answer.confidence).toBeLessThanOrEqual(1)
    expect(answer.timestamp).toBeGreaterThanOrEqual(before)
    expect(answer.timestamp).toBeLessThanOrEqual(Date.now())
  })

  it('answers raw bytes, a data URL and every format with the same digit', async () => {
    const frame = sharp(seven).resize(640, 480, { fit: 'fill' })
    const answers = [
      await postImage(seven),
      await postJson({ image_base64: `data:image/png;base64,${seven.toString('base64')}` }),
      await postImage(await frame.clone().png().toBuffer()),
      await postImage(await frame.clone().jpeg().toBuffer(), 'image/jpeg'),
      await postImage(await frame.clone().webp().toBuffer(), 'image/webp'),
      await postImage(await frame.clone().png({ progressive: true }).toBuffer()),
    ]
    for (const answer of answers) expect(await answer.json()).toMatchObject({ code: 200, pred: 7 })
  })

  it('gives each of many at once the answer it gets alone', async () => {
    const pictures = [0, 1, 2, 3, 7].map(samplePicture)
    const alone: unknown[] = []
    for (const bytes of pictures) alone.push(pick(await (await postImage(bytes)).json()))
    const together = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => pick(await (await postImage(pictures[i % 5] as Buffer)).json())),
    )
    together.forEach((answer, i) => {
      expect(answer.pred).toBe((alone[i % 5] as typeof answer).pred)
      expect(answer.confidence).toBeCloseTo((alone[i % 5] as typeof answer).confidence, 4)
    })
  })

  it('hands the result to the store before it answers, and times each stage', async () => {
    const counted = node.meters.latency()
    const kept = node.kept.length
    await postImage(seven)
    expect(node.kept).toHaveLength(kept + 1)
    expect(node.kept.at(-1)).toMatchObject({ code: 200, pred: 7, model: 'digits@1.0.0', bytes: seven.length })
    expect(node.kept.at(-1)?.total_ms).toBeGreaterThan(0)
    const after = node.meters.latency()
    for (const stage of ['decode', 'queue', 'run', 'commit', 'total'] as const) {
      expect(after[stage].count).toBe(counted[stage].count + 1)
    }
  })

  it('counts body bytes as they came', async () => {
    const before = node.meters.counters()
    await postImage(seven)
    const after = node.meters.counters()
    expect(after.rawBytes - before.rawBytes).toBe(seven.length)
    expect(after.requests - before.requests).toBe(1)
    expect(after.ok - before.ok).toBe(1)
  })

  it('answers a client that asks before it sends', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const sent = request(`${node.url}/infer`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png', 'Content-Length': seven.length, Expect: '100-continue' },
    })
    sent.on('continue', () => sent.end(seven))
    sent.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
    sent.flushHeaders()
    expect(await promise).toBe(200)
  })

  it('serves a large photograph', async () => {
    const photo = await sharp(patternedPixels(2000, 1500, 3).data, { raw: { width: 2000, height: 1500, channels: 3 } })
      .jpeg()
      .toBuffer()
    expect((await postImage(photo, 'image/jpeg')).status).toBe(200)
  })
})

describe('the other addresses', () => {
  it('tell health, readiness and metrics', async () => {
    const health = await fetch(`${node.url}/healthz`)
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }])
    const ready = await fetch(`${node.url}/readyz?verbose=1`)
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }])
    const metrics = await fetch(`${node.url}/metrics`)
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await metrics.text()).toBe('edge_up 1\n')
    expect((await fetch(`${node.url}/metrics`, { method: 'HEAD' })).status).toBe(200)
  })

  it('say what there is to a wrong address or method', async () => {
    const lost = await fetch(`${node.url}/nothing`)
    expect([lost.status, await lost.json()]).toEqual([
      404,
      { code: 404, msg: expect.stringContaining('POST /infer'), node_id: 'node-1', timestamp: expect.any(Number) },
    ])
    const get = await fetch(`${node.url}/infer`)
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    const post = await fetch(`${node.url}/healthz`, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

function pick(answer: unknown): { pred: number; confidence: number } {
  const { pred, confidence } = answer as { pred: number; confidence: number }
  return { pred, confidence }
}
