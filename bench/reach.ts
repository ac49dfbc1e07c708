/**
 * What it costs to reach nodes through the bus instead of straight, in one run on loopback: round trips, bytes, a long
 * read; two hundred links at once, after a restart of the bus, and their memory; what a node sends while nobody looks.
 *
 * Run with `node bench/reach.ts [--nodes 200] [--quiet-seconds 30]`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { OPEN_BUS } from '../identity/bus-access.ts'
import { FleetSession } from '../src/commands/fleet-session.ts'
import { startNatsServer } from '../src/demo/nats-server.ts'
import { IdentityFolder } from '../src/identity/identity-source.ts'
import type { NodeLink } from '../src/link/link.ts'
import { operatorBus } from '../src/link/operator-bus.ts'
import type { Answer, Question } from './reach/nodes.ts'

const READS = 100
const STATUS_SEC = 10

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The nodes, and what they say they sent. */
class Nodes {
  readonly #child: ChildProcess
  #fail: (error: Error) => void = () => undefined
  readonly ready: Promise<Extract<Answer, { kind: 'ready' }>>

  constructor(natsUrl: string, count: number) {
    this.#child = fork(new URL('./reach/nodes.ts', import.meta.url), [natsUrl, String(count)])
    this.#child.once('exit', (code) => this.#fail(new Error(`the nodes ended with ${code}`)))
    this.ready = this.#next('ready')
  }

  bytes(): Promise<Extract<Answer, { kind: 'bytes' }>> {
    const answer = this.#next('bytes')
    this.#ask('bytes')
    return answer
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#ask('stop')
    await gone
  }

  #ask(question: Question): void {
    this.#child.send(question)
  }

  #next<K extends Answer['kind']>(kind: K): Promise<Extract<Answer, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const hear = (answer: Answer): void => {
        if (answer.kind !== kind) return
        this.#child.off('message', hear)
        resolve(answer as Extract<Answer, { kind: K }>)
      }
      this.#child.on('message', hear)
      this.#fail = reject
    })
  }
}

/** The most of a core that this process used in any second while something ran. */
async function withPeakCpu<T>(run: () => Promise<T>): Promise<{ value: T; peakPct: number; sec: number }> {
  let last = process.cpuUsage()
  let peakPct = 0
  const timer = setInterval(() => {
    const used = process.cpuUsage(last)
    last = process.cpuUsage()
    peakPct = Math.max(peakPct, (used.user + used.system) / 10_000)
  }, 1000)
  const startMs = performance.now()
  const value = await run()
  const sec = (performance.now() - startMs) / 1000
  clearInterval(timer)
  return { value, peakPct, sec }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const row = (label: string, direct: string, bus: string): void =>
  console.log(`${label.padEnd(44)}${direct.padStart(14)}${bus.padStart(14)}`)

/** Round trips of a small question, and a read of a megabyte, over one link; ms. */
async function measureLink(link: NodeLink) {
  const trips: number[] = []
  for (let n = 0; n < READS; n += 1) {
    const startMs = performance.now()
    const outcome = await link.read({ topic: 'alerts', fromMs: 0, toMs: 1, limit: 1 })
    if (!outcome.ok) throw new Error(outcome.message)
    trips.push(performance.now() - startMs)
  }
  const startMs = performance.now()
  const long = await link.read({ topic: 'logs', fromMs: 0, toMs: 9e12, limit: 5000 }, 30_000)
  if (!long.ok || long.rows.length !== 5000) throw new Error('the long read is not whole')
  return { tripMs: median(trips), longMs: performance.now() - startMs }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { nodes: { type: 'string', default: '200' }, 'quiet-seconds': { type: 'string', default: '30' } },
  })
  const count = Number(values.nodes)
  const quietSec = Number(values['quiet-seconds'])
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-bench-reach-'))
  let hub = await startNatsServer({ dir })
  const nodes = new Nodes(hub.url, count)
  const { identityDir, nodes: addresses } = await nodes.ready
  const identity = new IdentityFolder(identityDir)
  const interest = { status: true, alertBacklog: null, logs: null }
  const bus = () => operatorBus({ servers: [hub.url], access: () => OPEN_BUS, identity })
  const session = (way: 'direct' | 'nats', of: number): FleetSession =>
    new FleetSession({
      nodes: way === 'direct' ? addresses.slice(0, of) : [],
      access: { version: '0', identity, ...(way === 'nats' ? { bus: bus() } : {}) },
      interest,
    })
  const isUp = (fleet: FleetSession, of: number): boolean =>
    fleet.fleet.view('now', Date.now()).nodes.filter(({ state, route }) => state === 'up' && route !== null).length >=
    of
  const untilUp = async (fleet: FleetSession, of: number): Promise<void> => {
    while (!isUp(fleet, of)) await pause(20)
  }
  const sentKbPerSec = async (way: 'direct' | 'nats'): Promise<string> => {
    const start = await nodes.bytes()
    await pause(STATUS_SEC * 1000)
    const end = await nodes.bytes()
    return ((end[way] - start[way]) / STATUS_SEC / 1000).toFixed(1)
  }
  const signal = AbortSignal.timeout(600_000)
  signal.addEventListener('abort', () => process.exit(1))

  console.log(`quiet for ${quietSec} s: nobody looks`)
  await pause(5000)
  const before = await nodes.bytes()
  await pause(quietSec * 1000)
  const after = await nodes.bytes()
  const perDay = ((after.nats - before.nats) / count / quietSec) * 86_400
  console.log(`  a node sends ${(perDay / 1e6).toFixed(2)} MB a day to the bus\n`)

  row('', 'direct', 'bus')
  const figures: Record<string, Record<'direct' | 'nats', string>> = {}
  const note = (label: string, way: 'direct' | 'nats', value: string): void => {
    figures[label] = { direct: '', nats: '', ...figures[label], [way]: value }
  }
  for (const way of ['direct', 'nats'] as const) {
    const baseMb = process.memoryUsage().rss / 1e6
    const fleet = session(way, count)
    const first = await withPeakCpu(async () => {
      fleet.start()
      await untilUp(fleet, count)
    })
    note(`${count} links: until all are up, s`, way, first.sec.toFixed(1))
    note(`${count} links: peak CPU of the console, %`, way, first.peakPct.toFixed(0))
    await pause(2000)
    fleet.look(new Set(['n1']))
    await pause(12_000)
    note(`${count} links, one looked at: nodes send, kB/s`, way, await sentKbPerSec(way))
    fleet.look(new Set(addresses.map(({ key }) => key)))
    await pause(3000)
    note(`${count} links, all looked at: nodes send, kB/s`, way, await sentKbPerSec(way))
    const link = fleet.links.get('n1')
    if (link === undefined) throw new Error('there is no link')
    fleet.look(new Set(['n1']))
    await pause(2000)
    const { tripMs, longMs } = await measureLink(link)
    note('round trip of a small question, median ms', way, tripMs.toFixed(2))
    note('read of 1.3 MB, ms', way, longMs.toFixed(0))
    note(`memory for ${count} links, MB`, way, (process.memoryUsage().rss / 1e6 - baseMb).toFixed(0))
    if (way === 'nats') {
      await hub.kill()
      while (isUp(fleet, 1)) await pause(20)
      hub = await startNatsServer({ dir, port: hub.port })
      const again = await withPeakCpu(() => untilUp(fleet, count))
      note(`${count} links after the bus came back, s`, way, again.sec.toFixed(1))
      note(`${count} links after that: peak CPU, %`, way, again.peakPct.toFixed(0))
    }
    await fleet.stop()
  }
  for (const [label, { direct, nats }] of Object.entries(figures)) row(label, direct, nats)
  await nodes.stop()
  await hub.stop()
  await rm(dir, { recursive: true, force: true })
}

await main()
process.exit(0)
