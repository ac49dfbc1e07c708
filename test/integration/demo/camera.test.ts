import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Camera } from '../../../src/demo/camera.ts'

interface Seen {
  requests: number
  connections: number
  readonly types: Set<string | undefined>
  readonly bodies: Set<string>
  most: number
}

/** A node's inference listener that counts; `answer` decides when and what it answers. */
async function node(answer: (response: http.ServerResponse) => void): Promise<{ url: string; seen: Seen }> {
  const seen: Seen = { requests: 0, connections: 0, types: new Set(), bodies: new Set(), most: 0 }
  let open = 0
  const server = http.createServer(async (request, response) => {
    seen.requests += 1
    open += 1
    seen.most = Math.max(seen.most, open)
    response.on('close', () => {
      open -= 1
    })
    seen.types.add(request.headers['content-type'])
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    seen.bodies.add(Buffer.concat(parts).toString())
    answer(response)
  })
  server.on('connection', () => {
    seen.connections += 1
  })
  // However long a busy machine leaves a connection quiet.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/infer`, seen }
}

function camera(url: string, framesPerSec: number, nextFrame = (): Buffer | null => Buffer.from('frame')): Camera {
  const made = new Camera({ url, framesPerSec, nextFrame, random: Math.random })
  onTestFinished(() => made.stop())
  made.start()
  return made
}

describe('a camera', () => {
  it('posts raw pictures over connections that stay open', async () => {
    const { url, seen } = await node((response) => response.end('{}'))
    const eye = camera(url, 50)
    await vi.waitFor(() => expect(eye.counts().answers['200']).toBeGreaterThanOrEqual(20), 60_000)
    expect([...seen.types]).toEqual(['image/png'])
    expect([...seen.bodies]).toEqual(['frame'])
    expect(seen.connections).toBeLessThanOrEqual(4)
  })

  it('drops frames when the node lags, and never piles them up', async () => {
    const { url, seen } = await node(() => undefined)
    const eye = camera(url, 100)
    await vi.waitFor(() => expect(eye.counts().dropped).toBeGreaterThanOrEqual(20), 60_000)
    expect(eye.counts().sent).toBe(4)
    expect(seen.most).toBeLessThanOrEqual(4)
  })

  it('counts what is refused, and goes on when the node is back', async () => {
    const statuses = [422, 503]
    const { url } = await node((response) => response.writeHead(statuses.shift() ?? 200).end())
    const eye = camera(url, 50)
    await vi.waitFor(
      () => expect(eye.counts().answers).toMatchObject({ 422: 1, 503: 1, 200: expect.any(Number) }),
      60_000,
    )
  })

  it('tries again with the next frame while the node is away', async () => {
    const eye = camera('http://127.0.0.1:1/infer', 50)
    await vi.waitFor(() => expect(eye.counts().failed).toBeGreaterThanOrEqual(3), 60_000)
  })

  it('rests at 0 frames a second and changes its pace at once', async () => {
    const { url } = await node((response) => response.end())
    const eye = camera(url, 0.01)
    eye.setRate(50)
    await vi.waitFor(() => expect(eye.counts().sent).toBeGreaterThan(2), 60_000)
    eye.setRate(0)
    const { sent } = eye.counts()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(eye.counts().sent).toBe(sent)
  })
})
