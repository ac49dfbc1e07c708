import { expect, it } from 'vitest'
import { DaemonHome, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { natsFixture } from '../../support/nats-server.ts'
import { tcpLink } from '../../support/tcp-link.ts'

/** 64 kbit/s. */
const CAP = 8000
const GARBAGE = Buffer.from('this is no picture')

it('a node under a cap sends no more than that, to the cloud and to a console together, and answers as ever', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  await using home = new DaemonHome()
  home.configure({ 'upstream.nats.servers': [`nats://127.0.0.1:${link.port}`], 'upstream.maxUplinkKbps': 64 })
  const { inferUrl, liveUrl } = await home.serve()
  await using gate = await tcpLink(Number(new URL(liveUrl).port))
  const console = await TestConsole.open(liveUrl.replace(/:\d+\//, `:${gate.port}/`))
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
  console.send({ t: 'subscribe', id: 'r', topic: 'results', credits: 1000 })
  await console.until(() => console.of('status').length > 1)
  const first = console.of('status').at(-1)
  expect(first?.uplink.capBytesPerSec).toBe(CAP)
  const answers: unknown[] = []
  const startMs = performance.now()
  const backlog = (): number => Math.max(...console.of('status').map(({ uplink }) => uplink.backlogRecords))
  while (performance.now() - startMs < 6000 || answers.length <= 100 || backlog() === 0) {
    answers.push(...(await Promise.all(Array.from({ length: 20 }, () => postPicture(inferUrl, GARBAGE)))))
  }
  const seen = console.of('status').length
  await console.until(() => console.of('status').length > seen + 1)
  const last = console.of('status').at(-1)
  const sum = (bytes: Record<string, number> = {}): number => Object.values(bytes).reduce((all, one) => all + one, 0)
  const perSec =
    ((sum(last?.uplink.sentBytes) - sum(first?.uplink.sentBytes)) * 1000) / ((last?.at ?? 0) - (first?.at ?? 0))
  expect(perSec).toBeGreaterThan(CAP * 0.25)
  expect(perSec).toBeLessThan(CAP * 1.35)
  // Less than all of it fits under the cap while it is asked.
  expect(backlog()).toBeGreaterThan(0)
  expect(last?.uplink.targets[0]?.transfer?.count).toBeGreaterThan(0)
  console.close()
})
