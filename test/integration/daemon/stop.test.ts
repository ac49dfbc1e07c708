import { Agent, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { DaemonHome, type EdgeDaemonProcess, eventually, type InferAnswer } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

/** Post over a connection of the agent; resolves with the answer, or with the error's code. */
function post(inferUrl: string, agent: Agent, picture: Buffer): Promise<InferAnswer | string> {
  return new Promise((resolve) => {
    const sending = request(`${inferUrl}/infer`, {
      agent,
      method: 'POST',
      headers: { 'content-type': 'image/png', 'content-length': picture.length },
    })
    sending.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sending.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve(JSON.parse(text) as InferAnswer))
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    sending.end(picture)
  })
}

async function keptSeqs(home: DaemonHome): Promise<Set<number>> {
  const store = await openStore({
    dir: join(home.stateDir, 'store'),
    nodeName: 'n1',
    maxBytes: 1e9,
    segmentBytes: 16e6,
  })
  const kept = await store.read({ classes: ['normal', 'abnormal'], limit: 1_000_000 })
  await store.close()
  return new Set(kept.map(({ seq }) => seq))
}

async function terminate(daemon: EdgeDaemonProcess): Promise<{ tookMs: number }> {
  const beganMs = performance.now()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  return { tookMs: performance.now() - beganMs }
}

describe('SIGTERM', () => {
  it('answers every request that is there, keeps what it answered, and takes no more', async () => {
    await using home = new DaemonHome()
    home.configure({ 'faults.slow': '400ms', 'inference.batchMax': 8 })
    const { daemon, inferUrl, liveUrl } = await home.serve()
    const console = await TestConsole.open(liveUrl)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    const agent = new Agent({ keepAlive: true })
    const answers = Array.from({ length: 30 }, (_, n) => post(inferUrl, agent, samplePicture(n % 10)))
    await console.until(() => {
      const inference = console.of('status').at(-1)?.inference
      return inference !== undefined && inference.queued + inference.inFlight === 30
    })
    const beganMs = performance.now()
    const stopped = terminate(daemon)
    await eventually(() => daemon.lines.some((line) => line.includes('"stopping"')))
    expect(await post(inferUrl, new Agent(), samplePicture(1))).toMatch(/^ECONN(REFUSED|RESET)$/)
    const answered = await Promise.all(answers)
    expect(answered.filter((answer) => typeof answer === 'string' || answer.code !== 200)).toEqual([])
    const answeredMs = performance.now() - beganMs
    // The answers are what it waits for; kept-alive connections add nothing worth speaking of.
    expect((await stopped).tookMs - answeredMs).toBeLessThan(4000)
    await console.until(() => console.closed !== null)
    expect(console.closed?.code).toBe(1001)
    const kept = await keptSeqs(home)
    for (const answer of answered as InferAnswer[]) expect(kept.has(answer.seq as number)).toBe(true)
  })

  it('under load resets no request on a connection that it had accepted, and is gone quickly', async () => {
    await using home = new DaemonHome()
    const { daemon, inferUrl } = await home.serve()
    const agent = new Agent({ keepAlive: true, maxSockets: 12 })
    const answered: InferAnswer[] = []
    const broken: string[] = []
    const senders = Array.from({ length: 12 }, async (_, sender) => {
      for (;;) {
        const answer = await post(inferUrl, agent, samplePicture(sender % 10))
        if (typeof answer !== 'string') answered.push(answer)
        else if (answer === 'ECONNREFUSED') return
        else broken.push(answer)
      }
    })
    await eventually(() => answered.length > 200)
    const { tookMs } = await terminate(daemon)
    await Promise.all(senders)
    agent.destroy()
    expect(broken).toEqual([])
    expect(answered.filter(({ code, stored }) => code !== 200 || !stored)).toEqual([])
    const kept = await keptSeqs(home)
    expect(answered.filter(({ seq }) => !kept.has(seq as number))).toEqual([])
    expect(tookMs).toBeLessThan(5000)
  })

  it('does not wait for idle connections, nor long for a request that never ends', async () => {
    await using home = new DaemonHome()
    const { daemon, inferUrl } = await home.serve()
    const { hostname, port } = new URL(inferUrl)
    const idle = connect(Number(port), hostname)
    const half = connect(Number(port), hostname)
    for (const socket of [idle, half]) socket.on('error', () => undefined)
    half.write('POST /infer HTTP/1.1\r\nHost: n1\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc')
    await post(inferUrl, new Agent(), samplePicture(1))
    expect((await terminate(daemon)).tookMs).toBeLessThan(12_000)
    idle.destroy()
    half.destroy()
  }, 30_000)

  it('does not wait for a cloud that hangs, and keeps what waits for it', async () => {
    await using home = new DaemonHome()
    // Takes connections and never says a word.
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
    home.configure({ 'upstream.nats.servers': [`nats://${address}`], 'upstream.http.url': `http://${address}/` })
    const { daemon, inferUrl } = await home.serve()
    const agent = new Agent()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(inferUrl, agent, Buffer.from('no picture'))),
    )
    expect((await terminate(daemon)).tookMs).toBeLessThan(5000)
    const kept = await keptSeqs(home)
    for (const answer of answers as InferAnswer[]) expect(kept.has(answer.seq as number)).toBe(true)
    silent.close()
  })

  it('while it is still starting ends it in order, and so does SIGINT to its whole group', async () => {
    await using home = new DaemonHome()
    const early = home.start()
    await eventually(() => early.lines.length > 0 || early.stderr !== '')
    expect((await early.stop()).code).toBe(0)
    const { daemon } = await home.serve()
    daemon.signal('SIGINT')
    expect(await daemon.ended).toEqual({ code: 0, signal: null })
    expect(daemon.stderr).toBe('')
    expect(daemon.lines.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })
})
