import { expect, test } from 'vitest'
import { telemetryPace } from '../../../edge-daemon/telemetry-pace.ts'
import { UplinkPacer } from '../../../edge-daemon/upstream/uplink-pacer.ts'
import { LiveNode, logBody, TestConsole } from '../../support/live-node.ts'

/** 128 kbit/s, of which consoles may count on a fifth. */
const CAP = 16_000

test('under a cap that a backlog uses up, status frames slow down for every console and rows are sent or told missing', async () => {
  let hoggedBytes = 0
  let telemetryBytes = (): number => 0
  const pacer = new UplinkPacer({ capBytesPerSec: CAP, leftBytes: () => hoggedBytes + telemetryBytes() })
  const end = new AbortController()
  const hog = (async () => {
    for (;;) {
      const turn = await pacer.turn({ class: 'stat', bytes: CAP / 4, late: true }, end.signal)
      if (turn === null) return
      hoggedBytes += CAP / 4
      turn.ended()
    }
  })()
  const node = await new LiveNode({ pace: telemetryPace(pacer) }).start()
  telemetryBytes = () => node.server.sentBytes()
  try {
    for (let n = 0; n < 200; n += 1) node.keep('logs', logBody(`kept ${n} ${'x'.repeat(200)}`))
    const consoles = [await TestConsole.open(node.url), await TestConsole.open(node.url)]
    const [first, second] = consoles as [TestConsole, TestConsole]
    first.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 1000, backlog: 300 })
    for (const console of consoles) console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    await first.until(() => first.of('status').length > 0)
    const startMs = performance.now()
    const [startBytes, startHoggedBytes] = [telemetryBytes(), hoggedBytes]
    let published = 0
    while (performance.now() - startMs < 5000) {
      node.publish('logs', logBody(`new ${published} ${'x'.repeat(200)}`))
      published += 1
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const statuses = consoles.map((console) => console.of('status').length)
    // 25 are due; each of the two gets its part of what there is, and neither is forgotten.
    for (const count of statuses) expect(count).toBeGreaterThan(2)
    expect(Math.max(...statuses)).toBeLessThan(22)
    // Parts of what left: how much that is in these seconds is also a matter of what the machine lets happen.
    const told = telemetryBytes() - startBytes
    const left = told + hoggedBytes - startHoggedBytes
    expect(told / left).toBeGreaterThan(0.1)
    expect(told / left).toBeLessThan(0.35)
    expect((left * 1000) / (performance.now() - startMs)).toBeLessThan(CAP * 1.2)
    // What gathers goes out once the backlog is through.
    end.abort()
    await first.until(() => first.rows('l').length + first.missed('l') === 200 + published)
    expect(first.missed('l')).toBeGreaterThan(0)
    expect(second.rows('l')).toEqual([])
  } finally {
    end.abort()
    await hog
    await node.server.stop()
  }
}, 240_000)
