import { Agent, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { DaemonHome, type EdgeDaemonProcess, eventually, type InferAnswer } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

/** A daemon cuts what does not end by itself after so long, ms. */
const CUT_AFTER_MS = 8000
/** Less than a connection may be quiet until it is cut, by as much as a daemon itself may take to see what came. */
const HELD_UP_MS = 100

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

/** A stop of a daemon that many devices send to all the time. */
interface StopUnderLoad {
  readonly answered: readonly InferAnswer[]
  /** What came of requests that were not answered, but for those on a new connection. */
  readonly broken: readonly string[]
  readonly kept: ReadonlySet<number>
  readonly tookMs: number
  /** How long this process stood still at most meanwhile. */
  readonly heldUpMs: number
}

async function stopUnderLoad(): Promise<StopUnderLoad> {
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
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const { tookMs } = await terminate(daemon)
  await Promise.all(senders)
  delay.disable()
  agent.destroy()
  return { answered, broken, kept: await keptSeqs(home), tookMs, heldUpMs: delay.max / 1e6 }
}

async function terminate(daemon: EdgeDaemonProcess): Promise<{ tookMs: number }> {
  const beganMs = performance.now()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  return { tookMs: performance.now() - beganMs }
}

describe('SIGTERM', () => {
  it('answers every request that is there, keeps what it answered, and takes no more', async () => {
    await using home = new DaemonHome()
    home.configure({ 'faults.slow': '1200ms', 'inference.batchMax': 10 })
    const { daemon, inferUrl, liveUrl } = await home.serve()
    const console = await TestConsole.open(liveUrl)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    const agent = new Agent({ keepAlive: true })
    const answers = Array.from({ length: 30 }, (_, n) => post(inferUrl, agent, samplePicture(n % 10)))
    await console.until(() => {
      const { queued = 0, inFlight = 0, counters } = console.of('status').at(-1)?.inference ?? {}
      return queued + inFlight > 8 && queued + inFlight + (counters?.ok ?? 0) === 30
    })
    const beganMs = performance.now()
    const stopped = terminate(daemon)
    await eventually(() => daemon.lines.some((line) => line.includes('"stopping"')))
    expect(await post(inferUrl, new Agent(), samplePicture(1))).toMatch(/^ECONN(REFUSED|RESET)$/)
    const answered = await Promise.all(answers)
    expect(answered.filter((answer) => typeof answer === 'string' || answer.code !== 200)).toEqual([])
    const answeredMs = performance.now() - beganMs
    // The answers are what it waits for; kept-alive connections are not left until they are cut.
    expect((await stopped).tookMs - answeredMs).toBeLessThan(CUT_AFTER_MS)
    await console.until(() => console.closed !== null)
    expect(console.closed?.code).toBe(1001)
    const kept = await keptSeqs(home)
    for (const answer of answered as InferAnswer[]) expect(kept.has(answer.seq as number)).toBe(true)
  })

  it('under load resets no request on a connection that it had accepted, and is gone quickly', async () => {
    // Whoever is held up for longer than a connection may be quiet is as one that sends nothing: that says nothing of the node.
    const runs: StopUnderLoad[] = []
    do runs.push(await stopUnderLoad())
    while ((runs.at(-1)?.broken.length ?? 0) > 0 && (runs.at(-1)?.heldUpMs ?? 0) > HELD_UP_MS && runs.length < 10)
    for (const { answered, kept } of runs) {
      expect(answered.filter(({ code, stored }) => code !== 200 || !stored)).toEqual([])
      expect(answered.filter(({ seq }) => !kept.has(seq as number))).toEqual([])
    }
    expect(runs.at(-1)?.broken).toEqual([])
    expect(runs.at(-1)?.tookMs).toBeLessThan(CUT_AFTER_MS)
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
    expect((await terminate(daemon)).tookMs).toBeLessThan(25_000)
    idle.destroy()
    half.destroy()
  })

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
    expect((await terminate(daemon)).tookMs).toBeLessThan(CUT_AFTER_MS)
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
