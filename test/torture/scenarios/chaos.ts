import type { Hub } from '../hub.ts'
import { type Fault, planFaults, type Step } from '../plan.ts'
import type { TortureNode } from '../torture-node.ts'
import type { Outcome, World } from '../world.ts'

/** How a run of random faults is made. */
export interface ChaosOptions {
  readonly seconds: number
  readonly nodes: number
  readonly faults?: readonly Fault[]
  readonly settings?: Readonly<Record<string, unknown>>
  readonly needs: Readonly<Record<string, number>>
}

const SNAPSHOT_EVERY_MS = 2500
/** Half of a round trip of 3 s. */
const SLOW_DELAY_MS = 1500
const THROTTLE_KBIT_PER_SEC = 96
const HOUR_MS = 3_600_000
/** Calls of the store by which it changes its files. */
const CALLS = ['writevSync', 'fdatasyncSync', 'fsyncSync', 'writeSync', 'openSync', 'closeSync'] as const

/** Random faults on several nodes and one region, by a plan that the seed decides; then quiet, and the judgement. */
export async function runChaos(world: World, options: ChaosOptions): Promise<Outcome> {
  const { seconds, nodes: count, faults, settings, needs } = options
  const plan = planFaults(world.random, { seconds, nodes: count, ...(faults === undefined ? {} : { faults }) })
  for (const { atMs, fault, node, forMs } of plan) {
    world.say(
      `  plan ${(atMs / 1000).toFixed(1).padStart(6)} s  ${fault} (n${node + 1}${forMs > 0 ? `, ${forMs} ms` : ''})`,
    )
  }
  const hub = await world.addHub()
  for (let n = 1; n <= count; n += 1) {
    const node = await world.addNode({ name: `n${n}`, hubs: [hub], ...(settings === undefined ? {} : { settings }) })
    world.feed(node)
  }
  await new ChaosRun(world, hub).carryOut(plan)
  return world.settle({}, needs)
}

/** Carries out a plan. What concerns the hub is done one at a time; what concerns a link ends what was on it before. */
class ChaosRun {
  readonly #world: World
  readonly #hub: Hub
  #hubTurn: Promise<void> = Promise.resolve()
  #snapshot: string | null = null
  readonly #linkTurns = new Map<TortureNode, Promise<void>>()

  constructor(world: World, hub: Hub) {
    this.#world = world
    this.#hub = hub
  }

  async carryOut(plan: readonly Step[]): Promise<void> {
    const startedAtMs = performance.now()
    const running: Promise<void>[] = []
    const snapshots = setInterval(() => this.#onHub(async () => this.#takeSnapshot()), SNAPSHOT_EVERY_MS)
    try {
      for (const step of plan) {
        await sleep(startedAtMs + step.atMs - performance.now())
        const { journal, say } = this.#world
        say(
          `  ${(step.atMs / 1000).toFixed(1).padStart(6)} s  ${step.fault} n${step.node + 1}; ${journal.total('acks')} acks so far`,
        )
        running.push(this.#do(step))
      }
      await Promise.all(running)
      await this.#hubTurn
    } finally {
      clearInterval(snapshots)
    }
    for (const node of this.#world.nodes) {
      node.shiftClock(0)
      await node.serving()
    }
  }

  #do(step: Step): Promise<void> {
    const node = this.#world.nodes[step.node] as TortureNode
    this.#world.did(step.fault)
    const link = node.links[0]
    if (link === undefined) throw new Error(`${node.name} has no link`)
    const onLink = (begin: () => void): Promise<void> =>
      this.#onLink(node, async () => {
        begin()
        await sleep(step.forMs)
        link.shape({})
        await link.mend()
      })
    const steps: Readonly<Record<Fault, () => Promise<void>>> = {
      'kill daemon': () => node.kill(),
      'kill daemon at a call': async () => {
        const call = CALLS[this.#world.between(0, CALLS.length)]
        const when = this.#world.random() < 0.5 ? 'before' : 'after'
        node.prepare({ crash: `${call}:${when}:${this.#world.between(1, 60)}` })
        await node.kill()
      },
      'kill hub': () => this.#onHub(() => this.#killHub(step.forMs)),
      'lose the hub’s tail': () => this.#onHub(() => this.#loseTail(step.forMs)),
      'cut link': () => onLink(() => link.cut()),
      'half-open link': () => onLink(() => link.hang()),
      'answers lost': () => onLink(() => link.hang('answers')),
      'slow link': () => onLink(() => link.shape({ delayMs: SLOW_DELAY_MS })),
      'throttled link': () => onLink(() => link.shape({ kbitPerSec: THROTTLE_KBIT_PER_SEC })),
      'clock jump': async () => {
        node.shiftClock(this.#world.random() < 0.5 ? HOUR_MS : -HOUR_MS)
        await sleep(step.forMs)
        node.shiftClock(0)
      },
      intruder: () => this.#onHub(() => this.#intrude(node)),
    }
    return steps[step.fault]()
  }

  #onLink(node: TortureNode, use: () => Promise<void>): Promise<void> {
    const turn = (this.#linkTurns.get(node) ?? Promise.resolve()).then(use)
    this.#linkTurns.set(node, turn)
    return turn
  }

  #onHub(use: () => Promise<void>): Promise<void> {
    this.#hubTurn = this.#hubTurn.then(use)
    return this.#hubTurn
  }

  async #takeSnapshot(): Promise<void> {
    if (this.#hub.isUp) this.#snapshot = await this.#hub.snapshot()
  }

  async #killHub(downMs: number): Promise<void> {
    await this.#hub.kill()
    await sleep(downMs)
    await this.#hub.start()
  }

  /** What was acknowledged since the last snapshot is gone from the hub, as after a power cut there. */
  async #loseTail(downMs: number): Promise<void> {
    if (this.#snapshot === null) await this.#takeSnapshot()
    const snapshot = this.#snapshot as string
    this.#snapshot = null
    await this.#hub.kill()
    await sleep(downMs)
    await this.#hub.restore(snapshot)
  }

  async #intrude(node: TortureNode): Promise<void> {
    const { epoch = '' } = node.served ?? {}
    const [newest] = this.#world.journal.read().slice(-1)
    await this.#hub.intrude(node.name, [`${epoch}:${newest?.seq}`, `${node.name}:${newest?.seq}`])
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
