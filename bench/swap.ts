import { readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { parseArgs } from 'node:util'
import type { Item } from '../protocol/change.ts'
import { ChangingNode } from '../test/support/changing-node.ts'
import { samplePicture } from '../test/support/pictures.ts'

const HELP = `Swap the models of two real edge-daemons again and again while devices send pictures.

Usage: node bench/swap.ts [--swaps 200] [--rate 25] [--json]

One daemon loads at low priority, the other as any process (models.loadPriority); they take turns, and so do their
rollouts: one serves a new version and confirms it (a swap that loads), the next serves one and takes it back (a swap that
loads, and one to the child that stayed warm). Between them are quiet stretches under the same load. A request is late
when it took longer than the slowest request of the quiet stretches. Memory, descriptors and processes of the daemons are
compared at the end with what they were after the first swaps. TMPDIR chooses the disk; one in memory (/dev/shm) leaves
out what its syncs take, and "taskset -c 0" before it all but one core.
`

const PRIORITIES = ['low', 'normal'] as const
const SWAPS_A_TURN = 9
const QUIET_MS = 3000
const WARM_SWAPS = 18
const DEVICES = 4

interface Sent {
  readonly atMs: number
  readonly tookMs: number
  readonly code: number
}

/** Two daemons, their load and their swaps; prints what was seen. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      swaps: { type: 'string', default: '200' },
      rate: { type: 'string', default: '25' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const wanted = Number(values.swaps)
  const contenders = PRIORITIES.map((priority) => new Contender(priority, Number(values.rate)))
  try {
    for (const contender of contenders) await contender.start()
    for (let round = 0; contenders.some(({ swaps }) => swaps < wanted); round += 1) {
      // Who was second is first in the next round.
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        await contender.round(wanted)
        console.error(`${contender.priority}: ${contender.swaps} of ${wanted} swaps`)
      }
    }
    const found = await Promise.all(contenders.map((contender) => contender.found()))
    console.log(JSON.stringify(Object.fromEntries(found), null, values.json ? 0 : 2))
  } finally {
    for (const contender of contenders) await contender[Symbol.asyncDispose]()
  }
}

/** A daemon that loads at one priority. */
class Contender implements AsyncDisposable {
  readonly priority: (typeof PRIORITIES)[number]
  swaps = 0
  readonly #node: ChangingNode
  readonly #ratePerSec: number
  readonly #quiet: Sent[] = []
  readonly #busy: Sent[] = []
  #items: readonly Item[] = []
  #load: Load | null = null
  #pid = 0
  #turn = 0
  #before: Size | null = null

  constructor(priority: (typeof PRIORITIES)[number], ratePerSec: number) {
    this.priority = priority
    this.#ratePerSec = ratePerSec
    this.#node = new ChangingNode({ 'alerts.latency': '60s', 'models.loadPriority': priority })
  }

  async start(): Promise<void> {
    this.#items = [await this.#node.shelve('2.0.0'), await this.#node.shelve('2.0.1')]
    await this.#node.serve()
    const served = this.#node.served
    if (served === null) throw new Error('the node does not serve')
    this.#pid = served.pid
    this.#load = new Load(served.inferUrl, this.#ratePerSec)
  }

  /** A quiet stretch and some swaps under load. */
  async round(wanted: number): Promise<void> {
    const load = this.#load as Load
    const goal = Math.min(wanted, this.swaps + SWAPS_A_TURN)
    load.start()
    this.#quiet.push(...(await load.during(() => new Promise((resolve) => setTimeout(resolve, QUIET_MS)))))
    const sent = await load.during(async () => {
      while (this.swaps < goal) {
        this.swaps += await rollOut(this.#node, this.#items[this.#turn % 2] as Item, this.#turn)
        this.#turn += 1
      }
    })
    load.pause()
    this.#busy.push(...sent)
    if (this.#before === null && this.swaps >= WARM_SWAPS) this.#before = await sizeOf(this.#pid)
  }

  async found(): Promise<readonly [string, object]> {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    const after = await sizeOf(this.#pid)
    const before = this.#before
    const slowest = Math.max(...this.#quiet.map(({ tookMs }) => tookMs))
    const quiet = summed(this.#quiet)
    const swapping = summed(this.#busy)
    const late = this.#busy.filter(({ tookMs }) => tookMs > slowest).length
    const failed = this.#busy.filter(({ code }) => code !== 200).length
    const p99Ratio = Math.round((swapping.p99Ms / quiet.p99Ms) * 100) / 100
    const rssRatio = before === null ? null : Math.round((after.rssMb / before.rssMb) * 1000) / 1000
    const told = { swaps: this.swaps, turns: this.#turn, quiet, swapping, p99Ratio, failed, late }
    return [this.priority, { ...told, before, after, rssRatio }]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#load?.stop()
    await this.#node[Symbol.asyncDispose]()
  }
}

/** @returns how often the model was swapped */
async function rollOut(node: ChangingNode, item: Item, turn: number): Promise<number> {
  const rollout = `r${turn}`
  await node.activate(item, { rollout, gates: { maxFailedPct: 100 } })
  if (turn % 2 === 0) {
    await node.ask('change.confirm', { rollout, activation: 'a1' })
    await node.ask('change.end', { rollout })
    return 1
  }
  await node.ask('change.revert', { rollout, why: 'the bench takes it back' })
  await node.until('reverted')
  await node.ask('change.end', { rollout })
  return 2
}

/** Devices that each send a picture at their time, whether the last one was answered in time or not. */
class Load {
  readonly #url: URL
  readonly #everyMs: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: DEVICES * 4 })
  readonly #pictures = Array.from({ length: 10 }, (_, digit) => samplePicture(digit))
  #sent: Sent[] = []
  #open = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #n = 0

  constructor(inferUrl: string, ratePerSec: number) {
    this.#url = new URL('/infer', inferUrl)
    this.#everyMs = 1000 / ratePerSec
  }

  start(): void {
    let due = performance.now()
    this.#timer = setInterval(() => {
      for (; due <= performance.now(); due += this.#everyMs) this.#send(due)
    }, 1)
  }

  pause(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  stop(): void {
    this.pause()
    this.#agent.destroy()
  }

  /** What was sent while something went on, once all of it is answered. */
  async during(work: () => Promise<unknown>): Promise<Sent[]> {
    const fromMs = performance.now()
    await work()
    const toMs = performance.now()
    await Promise.all(this.#open)
    const sent = this.#sent.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    this.#sent = []
    return sent
  }

  #send(atMs: number): void {
    const picture = this.#pictures[this.#n % 10] as Buffer
    this.#n += 1
    const answered = new Promise<number>((resolve) => {
      const sending = request(
        this.#url,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'image/png', 'content-length': picture.length },
        },
        (response) => {
          response.resume()
          response.on('end', () => resolve(response.statusCode ?? 0)).on('error', () => resolve(0))
        },
      )
      sending.on('error', () => resolve(0))
      sending.end(picture)
    }).then((code) => {
      this.#sent.push({ atMs, tookMs: performance.now() - atMs, code })
    })
    this.#open.add(answered)
    void answered.then(() => this.#open.delete(answered))
  }
}

interface Size {
  readonly rssMb: number
  readonly descriptors: number
  readonly children: number
}

async function sizeOf(pid: number): Promise<Size> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const rssKb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean)
  return {
    rssMb: Math.round(rssKb / 102.4) / 10,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    children: children.length,
  }
}

function summed(sent: readonly Sent[]) {
  const times = sent.map(({ tookMs }) => tookMs).sort((a, b) => a - b)
  const at = (share: number): number => Math.round((times[Math.floor(share * (times.length - 1))] ?? 0) * 10) / 10
  return { requests: sent.length, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) }
}

await main()
