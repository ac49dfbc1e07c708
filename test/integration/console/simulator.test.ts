import { afterEach, describe, expect, it } from 'vitest'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../bench/simulator/simulator.ts'
import { LinkProbe } from '../../support/link-probe.ts'
import { TestConsole } from '../../support/live-node.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})
async function simulate(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options)
  stops.push(() => simulator.stop())
  return simulator
}
async function open(simulator: Simulator, index = 0): Promise<TestConsole> {
  const console = await TestConsole.open(simulator.nodes[index]?.url ?? '')
  stops.push(() => console.close())
  return console
}

describe('the fleet simulator', () => {
  it('sends only frames of the protocol, hostile node and troubled nodes included', async () => {
    const simulator = await simulate({ nodes: 40, hz: 10, logsPerSec: 200, hostile: true })
    const consoles = await Promise.all(simulator.nodes.map((_, index) => open(simulator, index)))
    for (const console of consoles) {
      console.send({ t: 'subscribe', id: 'status', topic: 'status', credits: 100 })
      console.send({ t: 'subscribe', id: 'logs', topic: 'logs', credits: 100, level: 'debug', backlog: 5 })
      console.send({ t: 'subscribe', id: 'alerts', topic: 'alerts', credits: 100, backlog: 5 })
    }
    for (const console of consoles) {
      await console.until(() => console.of('status').length >= 3 && console.rows('logs').length >= 3)
    }
    const last = consoles.map((console) => console.of('status').at(-1))
    expect(last.some((status) => (status?.alerts.length ?? 0) > 0)).toBe(true)
    expect(last.some((status) => (status?.uplink.backlogRecords ?? 0) > 0)).toBe(true)
  })

  it('honours credits: status is merged, log lines are told in a gap and add up', async () => {
    const simulator = await simulate({ nodes: 1, hz: 20, logsPerSec: 100 })
    const console = await open(simulator)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 2 })
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 1, level: 'debug' })
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.rows('l').length > 0 && console.of('status').length === 2)
    // By another console it is seen that there was more to send.
    const witness = await open(simulator)
    witness.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    witness.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 1000, level: 'debug' })
    await witness.until(() => witness.of('status').length > 8 && witness.rows('l').length > 30)
    expect(console.of('status')).toHaveLength(2)
    console.send({ t: 'credit', id: 's', n: 1 })
    console.send({ t: 'credit', id: 'l', n: 2 })
    await console.until(() => console.of('status').length === 3 && console.missed('l') > 0)
    await console.until(() => console.of('rows').length === 2)
    const numbers = console.of('status').map((status) => status.n)
    expect((numbers[2] ?? 0) - (numbers[1] ?? 0)).toBeGreaterThan(3)
    const sequence = console.rows('l').map((row) => row.seq)
    expect(sequence.length + console.missed('l')).toBeGreaterThan(20)
  })

  it('goes silent, comes back and restarts when it is told to', async () => {
    const simulator = await simulate({ nodes: 2, hz: 20 })
    const [node] = simulator.nodes
    const link = new LinkProbe(node?.url ?? '', { silenceTimeoutMs: 3000, handshakeTimeoutMs: 3000 })
    stops.push(() => link.link.stop())
    link.link.start()
    const instances = () =>
      link.of('frame').flatMap(({ frame }) => (frame.t === 'welcome' ? [frame.node.instance] : []))
    await link.until(() => link.frames().filter((t) => t === 'status').length > 2)
    simulator.silence('node-001', true)
    await link.until(() => link.of('closed').length === 1 && link.of('refused').length >= 1)
    simulator.silence('node-001', false)
    await link.until(() => instances().length === 2)
    simulator.restart('node-001')
    await link.until(() => instances().length === 3)
    const [first, second, third] = instances()
    expect(second).toBe(first)
    expect(third).not.toBe(first)
  })

  it('sends a status of only a share of the nodes in a tick, in turn, and announces it', async () => {
    const simulator = await simulate({ nodes: 4, hz: 20, changeShare: 0.25 })
    const console = await open(simulator)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 100 })
    await console.until(() => console.of('status').length >= 4)
    expect(console.of('welcome')[0]?.intervalMs).toBe(200)
    const times = console.of('status').map((status) => status.at)
    expect((times[3] ?? 0) - (times[1] ?? 0)).toBeGreaterThan(250)
  })
})
