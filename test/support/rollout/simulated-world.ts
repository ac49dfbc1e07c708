import type { RolloutEvent, Strategy } from '../../../src/rollout/contract.ts'
import type { Judges } from '../../../src/rollout/deliberation.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { judge } from '../../../src/rollout/gates/judge.ts'
import { judgeShadow } from '../../../src/rollout/gates/shadow.ts'
import { awaitsApproval, hasEnded, type RolloutState } from '../../../src/rollout/state.ts'
import { seededRandom } from '../random.ts'
import { ANNA, NEW_ITEM, OLD_ITEM, OWN_ITEM, planNode, planOf } from './plans.ts'
import { type DecisionClock, SimulatedDriver, SimulatedJournal } from './simulated-driver.ts'
import { type Release, SimulatedNode } from './simulated-node.ts'

/** The judges of the product. */
export const JUDGES: Judges = { wave: judge, shadow: judgeShadow }

/** A fault at a moment, on one node or site; it is over after `forMs`. */
export interface Trouble {
  readonly atMs: number
  readonly forMs: number
  readonly kind: 'cut' | 'site-cut' | 'dead' | 'silent' | 'nan' | 'none' | 'alert' | 'locked'
  /** Index of the node, modulo how many there are. */
  readonly node: number
}

/** What befalls drivers: at the n-th append from the last such, killed or stopped for so long. */
export interface Strike {
  readonly afterAppends: number
  readonly kind: 'kill' | 'stop'
  readonly forMs: number
}

/** Items before a rollout and by it. */
export const WAYS = {
  packages: [OLD_ITEM, NEW_ITEM],
  away: [OWN_ITEM, NEW_ITEM],
  back: [OLD_ITEM, OWN_ITEM],
} as const

/** Everything that makes one run; the same scenario runs the same. */
export interface Scenario {
  readonly seed: number
  readonly nodes: number
  readonly sites: number
  readonly waves: readonly number[]
  readonly strategy: Strategy
  /** Release by node, repeated. */
  readonly releases: readonly Release[]
  readonly requestsPerSec: number
  readonly troubles: readonly Trouble[]
  readonly strikes: readonly Strike[]
  readonly decisions: readonly { readonly atMs: number; readonly decision: 'pause' | 'resume' | 'abort' | 'promote' }[]
  readonly approve: readonly string[]
  /** What whoever looks after it does when it pauses. */
  readonly operator: 'resumes' | 'promotes' | 'aborts'
  readonly maxStageMs: number
  /** What nodes have and get: packages one after the other, or what they were set up with before or after one. */
  readonly way: keyof typeof WAYS
  /** Nodes and ways take no time: what is left is the engine's. */
  readonly isInstant?: boolean
}

const STEP_MS = 250
/** A lease is over so long after its driver was heard last. */
const LEASE_MS = 10_000
const OPERATOR_MS = 20_000

/** A fleet, its journal, drivers one after another, and what goes wrong, in virtual time. */
export class SimulatedWorld {
  readonly scenario: Scenario
  readonly journal = new SimulatedJournal()
  readonly nodes = new Map<string, SimulatedNode>()
  readonly #random: () => number
  readonly #judges: Judges
  readonly #clock: DecisionClock | null
  readonly #drivers: SimulatedDriver[] = []
  readonly #strikes: Strike[]
  readonly #pausedSince = { at: 0, is: false }
  #appends = 0
  #driverSeen = 0
  #said = 0
  now: number
  readonly startedAt: number
  #state: RolloutState | null = null

  constructor(scenario: Scenario, judges: Judges = JUDGES, clock: DecisionClock | null = null) {
    this.#clock = clock
    this.scenario = scenario
    this.#judges = judges
    const { isInstant = false } = scenario
    this.#random = seededRandom(scenario.seed)
    this.#strikes = [...scenario.strikes]
    this.now = 1_800_000_000_000
    this.startedAt = this.now
    const items = WAYS[scenario.way]
    const [before, item] = items
    const planned = Array.from({ length: scenario.nodes }, (_, index) =>
      planNode(`n${index}`, {
        site: `s${index % scenario.sites}`,
        requestsPerSec: scenario.requestsPerSec,
        before: before.origin === undefined ? before : null,
      }),
    )
    for (const [index, { key, site }] of planned.entries()) {
      const release = scenario.releases[index % scenario.releases.length] ?? 'good'
      this.nodes.set(
        key,
        new SimulatedNode({
          key,
          site,
          release,
          items,
          requestsPerSec: scenario.requestsPerSec,
          stageMs: isInstant ? 0 : 500 + Math.floor(this.#random() * scenario.maxStageMs),
          swapMs: isInstant ? 0 : 500 + Math.floor(this.#random() * 3000),
          clockMs: Math.floor((this.#random() - 0.5) * 100_000),
        }),
      )
    }
    const keys = planned.map(({ key }) => key)
    let from = 0
    const waves = scenario.waves.map((size) => {
      const wave = keys.slice(from, from + size)
      from += size
      return wave
    })
    const plan = planOf(scenario.strategy, [...waves.filter((wave) => wave.length > 0)], {
      item,
      undoes: item.origin === undefined ? null : 'r0',
      nodes: planned,
      peers: keys.slice(from),
      approve: scenario.approve,
    })
    this.journal.say({ at: this.now, term: 0, type: 'rollout.started', plan, by: ANNA, why: null })
  }

  /** The rollout as its journal tells it. */
  get state(): RolloutState {
    this.#state = fold(this.#state, this.journal.entries.slice(this.#state?.seq ?? 0))
    return this.#state as RolloutState
  }

  get driver(): SimulatedDriver | undefined {
    return this.#drivers.at(-1)
  }

  get hasEnded(): boolean {
    return hasEnded(this.state)
  }

  get elapsedMs(): number {
    return this.now - this.startedAt
  }

  /** A quarter of a second goes by. */
  step(): void {
    this.now += STEP_MS
    this.#trouble()
    for (const node of this.nodes.values()) node.pass(this.now, STEP_MS)
    this.#attend()
    this.#succeed()
    for (const driver of this.#drivers) {
      driver.deliver(this.now)
      driver.step(this.now)
    }
    const current = this.driver
    if (current !== undefined && !current.isDead && this.now >= current.stoppedUntil) this.#driverSeen = this.now
  }

  #trouble(): void {
    const keys = [...this.nodes.keys()]
    for (const { atMs, forMs, kind, node: index } of this.scenario.troubles) {
      const node = this.nodes.get(keys[index % keys.length] as string) as SimulatedNode
      const isNow = (ms: number): boolean => this.elapsedMs - STEP_MS <= ms && ms < this.elapsedMs
      const begins = isNow(atMs)
      const ends = isNow(atMs + forMs)
      if (!begins && !ends) continue
      switch (kind) {
        case 'cut':
          node.isLinked = ends
          break
        case 'site-cut':
          for (const other of this.nodes.values()) {
            if (other.options.site === node.options.site) other.isLinked = ends
          }
          break
        case 'dead':
          if (begins) node.die()
          else node.start(this.now)
          break
        case 'silent':
          node.isSilent = begins
          break
        case 'nan':
        case 'none':
          node.figures = begins ? kind : 'true'
          break
        case 'alert':
          node.criticalAlerts = begins ? 1 : 0
          break
        case 'locked':
          node.lock(begins ? 'other' : null)
          break
      }
    }
    // What the release kills is started again by its service manager.
    for (const node of this.nodes.values()) {
      if (!node.isAlive && node.options.release === 'kills' && this.#random() < 0.02) node.start(this.now)
    }
  }

  /** People: what the scenario has them decide, and an answer to every pause and approval. */
  #attend(): void {
    const { decisions, operator } = this.scenario
    const due = decisions[this.#said]
    if (due !== undefined && this.elapsedMs >= due.atMs) {
      this.#said += 1
      this.#say(due.decision, null)
    }
    const { state } = this
    const awaited = awaitsApproval(state)
    const needsSomebody = state.phase === 'paused' || awaited !== null
    if (!needsSomebody) this.#pausedSince.is = false
    else if (!this.#pausedSince.is) {
      this.#pausedSince.is = true
      this.#pausedSince.at = this.now
    } else if (this.now - this.#pausedSince.at >= OPERATOR_MS) {
      this.#pausedSince.is = false
      if (awaited !== null) this.#say('approve', awaited.name)
      if (state.phase !== 'paused') return
      const isStubborn = state.decisions.length > 6 + decisions.length
      if (operator === 'aborts' || isStubborn) this.#say('abort', null)
      else if (operator === 'promotes' && state.halt?.by === null) this.#say('promote', null)
      else this.#say('resume', null)
    }
  }

  #say(decision: 'pause' | 'resume' | 'abort' | 'promote' | 'approve', wave: string | null): void {
    if (this.hasEnded) return
    this.journal.say({ at: this.now, term: 0, type: 'person.decided', decision, wave, by: ANNA, why: null })
  }

  /** Somebody takes over once the lease of the one before is over. */
  #succeed(): void {
    const isOver = this.now - this.#driverSeen >= LEASE_MS
    if (this.hasEnded || (this.driver !== undefined && !isOver && !this.driver.isDead)) return
    if (this.driver !== undefined && this.now - this.#driverSeen < LEASE_MS / 2) return
    const world = {
      journal: this.journal,
      nodes: this.nodes,
      judges: this.#judges,
      clock: this.#clock,
      latencyMs: () => (this.scenario.isInstant === true ? 0 : Math.floor(20 + this.#random() * 400)),
      strike: (driver: SimulatedDriver, event: RolloutEvent) => this.#strike(driver, event),
    }
    this.#drivers.push(new SimulatedDriver(world, `c${this.#drivers.length + 1}`, this.now))
    this.#driverSeen = this.now
  }

  #strike(driver: SimulatedDriver, _event: RolloutEvent): void {
    const [next] = this.#strikes
    if (next === undefined || driver !== this.driver) return
    this.#appends += 1
    if (this.#appends < next.afterAppends) return
    this.#strikes.shift()
    this.#appends = 0
    if (next.kind === 'kill') driver.isDead = true
    else driver.stoppedUntil = this.now + next.forMs
  }
}
