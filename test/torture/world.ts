import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../support/edge-daemon.ts'
import { seededRandom } from '../support/random.ts'
import { AckJournal } from './ack-journal.ts'
import type { CloudCopy, Licence, Verdict, Violation, ViolationRule } from './evidence.ts'
import { Hub } from './hub.ts'
import { judge } from './oracle.ts'
import { type NodeOptions, TortureNode } from './torture-node.ts'
import { Traffic, type TrafficOptions } from './traffic.ts'

/** The judgement of a scenario: what the oracle found, and what was done and must have been done. */
export interface Outcome extends Verdict {
  /** Counts of what was done to the system, e.g. `daemon killed`. */
  readonly happened: Readonly<Record<string, number>>
  /** What happened less often than the scenario needs to mean something. */
  readonly tooLittle: readonly string[]
}

/** Something that holds blocks and can be read by the oracle. */
export interface Archive {
  readonly isUp: boolean
  read(): Promise<CloudCopy>
  kill(): Promise<void>
}

const SETTLE_MS = 90_000
/** The run has failed already: what is late is only waited for to tell it from what is lost. */
const BROKEN_SETTLE_MS = 20_000
/** What may be only late: a block on its way, a statistic that is not full yet. Everything else stays broken. */
const MAY_HEAL = new Set<ViolationRule>(['missing', 'statistic'])
const JUDGE_AGAIN_MS = 1000

/** Regions, nodes and devices of one scenario, and the journal of what they were told. Ends all of it when disposed. */
export class World {
  readonly random: () => number
  readonly journal: AckJournal
  readonly hubs: Archive[] = []
  readonly nodes: TortureNode[] = []
  readonly happened: Record<string, number> = {}
  readonly say: (line: string) => void
  readonly #dir = mkdtempSync(join(tmpdir(), 'edgedeck-torture-'))
  readonly #traffic: Traffic[] = []
  readonly #endings: (() => unknown)[] = []
  readonly #broken: Violation[] = []

  constructor(options: { seed: number; say: (line: string) => void }) {
    this.random = seededRandom(options.seed)
    this.say = options.say
    this.journal = new AckJournal(join(this.#dir, 'acks.ndjson'))
  }

  /** Start a region with its stream. */
  async addHub(region = 'hub', server: { domain?: string; moreConfig?: string } = {}): Promise<Hub> {
    const hub = new Hub({ region, dir: join(this.#dir, region), ...server })
    this.hubs.push(hub)
    await hub.start()
    await hub.addStream()
    return hub
  }

  async addNode(options: NodeOptions): Promise<TortureNode> {
    const node = new TortureNode(options)
    this.nodes.push(node)
    await node.start()
    return node
  }

  /** Feed a node until {@link settle}, or until the returned traffic is stopped. */
  feed(node: TortureNode, wish: Partial<TrafficOptions> = {}): Traffic {
    const usual = { random: this.random, journal: this.journal, senders: 4, pauseMs: 60, abnormalShare: 0.3 }
    const traffic = new Traffic(node, { ...usual, ...wish })
    this.#traffic.push(traffic)
    traffic.start()
    return traffic
  }

  /** Note that something was done. */
  did(what: string, times = 1): void {
    this.happened[what] = (this.happened[what] ?? 0) + times
  }

  /** Note a broken promise that a scenario saw itself. */
  broke(violation: Violation): void {
    this.#broken.push(violation)
  }

  /** Have something ended with the world, last first. */
  onEnd(end: () => unknown): void {
    this.#endings.push(end)
  }

  /** A random whole number, `min ≤ n < max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min))
  }

  /** Wait until so many results more were acknowledged, or as many as there are given `node`. */
  async moreAcks(count: number, node?: string): Promise<void> {
    const now = (): number => (node === undefined ? this.journal.total('acks') : this.journal.of(node).acks)
    const goal = now() + count
    await eventually(() => now() >= goal, { timeoutMs: 60_000, what: `${count} more acknowledgements` })
  }

  /** Wait until a region holds so many messages more. */
  async heldMore(hub: Hub, count: number): Promise<void> {
    const from = (await hub.state()).lastSeq
    const isMore = async (): Promise<boolean> => (await hub.state()).lastSeq >= from + count
    await eventually(isMore, { timeoutMs: 60_000, what: `${hub.region} holds ${count} messages more` })
  }

  /**
   * Stop the traffic, wait until nothing waits any more, and judge. What is only late (a block on its way, a statistic
   * that is not full) is waited for; what is wrong stays wrong.
   */
  async settle(licence: Licence, needs: Readonly<Record<string, number>>): Promise<Outcome> {
    for (const traffic of this.#traffic) await traffic.stop()
    const startedAtMs = performance.now()
    let verdict: Verdict
    for (;;) {
      verdict = await this.judge(licence)
      const isLate = verdict.violations.some(({ rule }) => MAY_HEAL.has(rule))
      const isBroken = verdict.violations.some(({ rule }) => !MAY_HEAL.has(rule))
      if (!isLate || performance.now() - startedAtMs > (isBroken ? BROKEN_SETTLE_MS : SETTLE_MS)) break
      await new Promise((resolve) => setTimeout(resolve, JUDGE_AGAIN_MS))
    }
    return this.#outcome(verdict, needs)
  }

  /** Wait until everything that was acknowledged so far is where it belongs. */
  async arrived(licence: Licence): Promise<void> {
    let late = 'nothing was judged'
    const isThere = async (): Promise<boolean> => {
      const { violations } = await this.judge(licence)
      const waiting = violations.filter(({ rule }) => MAY_HEAL.has(rule))
      late = `${waiting.length} are late, first: ${waiting[0]?.msg}`
      return waiting.length === 0
    }
    await eventually(isThere, { timeoutMs: SETTLE_MS, what: 'all has arrived' }).catch(() => {
      throw new Error(`not all has arrived: ${late}`)
    })
  }

  /** Read all regions and nodes and judge them as they are now. */
  async judge(licence: Licence): Promise<Verdict> {
    const clouds = await Promise.all(this.hubs.filter((hub) => hub.isUp).map((hub) => hub.read()))
    const nodes = await Promise.all(this.nodes.filter((node) => node.isWanted).map((node) => node.read()))
    return judge({ acks: this.journal.read(), unanswered: this.journal.unanswered(), clouds, nodes, licence })
  }

  #outcome(verdict: Verdict, needs: Readonly<Record<string, number>>): Outcome {
    for (const node of this.nodes) {
      if (node.deaths > 0) this.did('daemon killed', node.deaths)
      this.did(
        'connections made',
        node.links.reduce((sum, link) => sum + link.connections(), 0),
      )
    }
    this.did('answered, not stored', this.journal.total('notStored'))
    const failedStarts: Violation[] = this.nodes.flatMap(({ name, failedStarts: failed }) =>
      failed.map((msg) => ({ rule: 'refused start', node: name, msg })),
    )
    const counts: Record<string, number> = {
      ...this.happened,
      acks: verdict.figures.acks,
      blocks: verdict.figures.blocks,
    }
    for (const [event, count] of Object.entries(verdict.figures.ledger)) counts[`ledger ${event}`] = count
    const tooLittle = Object.entries(needs)
      .filter(([what, least]) => (counts[what] ?? 0) < least)
      .map(([what, least]) => `${what}: ${counts[what] ?? 0}, at least ${least} are needed`)
    return {
      ...verdict,
      violations: [...this.#broken, ...failedStarts, ...verdict.violations],
      happened: this.happened,
      tooLittle,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const traffic of this.#traffic) void traffic.stop()
    for (const node of this.nodes) await node[Symbol.asyncDispose]()
    for (const traffic of this.#traffic) await traffic.stop()
    for (const end of this.#endings.reverse()) await end()
    for (const hub of this.hubs) await hub.kill()
    this.journal.close()
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10 })
  }
}
