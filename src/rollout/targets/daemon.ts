import { z } from 'zod'
import { type ChangeStatus, changeStatusSchema, type Item } from '../../../protocol/change.ts'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import { safe } from '../../fleet/clean.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { NodeTold } from '../../fleet/view.ts'
import type { Attention } from '../../link/attentions.ts'
import type { CommandOutcome, NodeLink } from '../../link/link.ts'
import type {
  NodeKey,
  NodeObservation,
  Observation,
  Plan,
  PlanNode,
  StepOrder,
  StepOutcome,
  Target,
} from '../contract.ts'
import { countsOf } from '../gates/counts.ts'
import { stepCommand } from './step-args.ts'

/** A fleet as rollouts need it: what it tells, and the links to its nodes. */
export interface RolloutFleet {
  readonly fleet: Fleet
  readonly link: (key: string) => NodeLink | undefined
  /** What a rollout depends on from now on; null when it is not driven here any more. */
  readonly attend?: (rollout: string, attention: Attention | null) => void
}

const STEP_TIMEOUT_MS = 10_000
const MAX_MSG_CHARS = 1000
/** A gap of this clock against the monotonic one means that the machine slept, ms. */
const SLEPT_MS = 5000

/**
 * Failures after which nobody knows whether the step was taken, or which pass by themselves: the step is tried again. All
 * others are the node's last word.
 */
const RETRIED: ReadonlySet<string> = new Set([
  'NODE_UNREACHABLE',
  'CANCELLED',
  'NOT_READY',
  'OVERLOADED',
  'RATE_LIMITED',
  'STORE_FAILING',
  'AUDIT_FAILING',
  'OUTPUT_REFUSED',
  'COMMAND_EXPIRED',
  'COMMAND_REPLAYED',
  'PACKAGE_MISSING',
  'PACKAGE_UNREAD',
  'FRAME_RATE',
  'FRAME_INVALID',
])

const doneSchema = z.object({ change: changeStatusSchema.nullable() })

/** What a {@link DaemonTarget} is made with. */
export interface DaemonTargetOptions extends RolloutFleet {
  /** Whose nodes they are: a node is found by the site and name that it had, whatever it is called here. */
  readonly plan: Plan
  readonly timeoutMs?: number
  /** Steps are sent in the own name of who has no operator's rights: then not without a mandate. */
  readonly needsMandate?: boolean
  /** Unix ms. */
  readonly now?: () => number
}

/** Daemons: steps are commands over their links, and what they tell is in their status. */
export class DaemonTarget implements Target {
  readonly #options: DaemonTargetOptions
  readonly #now: () => number
  readonly #nodes: ReadonlyMap<NodeKey, PlanNode>
  readonly #keys = new Map<NodeKey, string>()
  #watchingSince: number
  #clockGapMs: number

  constructor(options: DaemonTargetOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#nodes = new Map(options.plan.nodes.map((node) => [node.key, node]))
    this.#watchingSince = this.#now()
    this.#clockGapMs = this.#now() - performance.now()
  }

  observe(nodes: readonly NodeKey[]): Observation {
    const nowMs = this.#now()
    // Of the time that this machine slept nobody knows who was there.
    const gapMs = nowMs - performance.now()
    if (Math.abs(gapMs - this.#clockGapMs) > SLEPT_MS) this.#watchingSince = nowMs
    this.#clockGapMs = gapMs
    const seen = new Map(nodes.map((key) => [key, observationOf(key, this.#told(key, nowMs))]))
    return { nowMs, watchingSince: this.#watchingSince, nodes: seen }
  }

  /** Reach all nodes of the plan that are known here, and have these tell every second. */
  attend(nodes: readonly NodeKey[]): void {
    const { attend, plan } = this.#options
    const often = new Set(nodes.flatMap((key) => this.#keyOf(key) ?? []))
    // Those that the last look found: it looks at all of them.
    attend?.(plan.rollout, { needed: new Set(this.#keys.values()), often })
  }

  /** Depend on none of them any more. */
  leave(): void {
    this.#options.attend?.(this.#options.plan.rollout, null)
  }

  async carryOut(order: StepOrder): Promise<StepOutcome> {
    const { link, needsMandate = false, timeoutMs = STEP_TIMEOUT_MS } = this.#options
    const key = this.#keyOf(order.node)
    const to = key === null ? undefined : link(key)
    if (to === undefined) return failed('NODE_UNREACHABLE', 'it is not in the inventory of who drives', true)
    if (needsMandate && order.mandate === null) {
      return failed('MANDATE_INVALID', "the operator's mandate for it is not in the journal yet", true)
    }
    const { verb, args } = stepCommand(order)
    const why = `rollout ${order.plan.rollout}`
    return outcomeOf(await to.command(verb, args, { timeoutMs, why }))
  }

  #told(key: NodeKey, nowMs: number): NodeTold | null {
    const own = this.#keyOf(key)
    return own === null ? null : this.#options.fleet.told(own, nowMs)
  }

  /** What a node of the plan is called here; null when it is not known here, or the node of that name is another one. */
  #keyOf(key: NodeKey): string | null {
    const node = this.#nodes.get(key)
    const held = this.#keys.get(key)
    if (node === undefined) return null
    if (held !== undefined && this.#is(held, node) === true) return held
    const { fleet } = this.#options
    // Its own name first; on the bus nodes are called by their name, or by site and name where that is taken.
    const likely = [key, node.name, `${node.site}/${node.name}`]
    const found =
      likely.find((one) => this.#is(one, node) === true) ??
      fleet.keys().find((one) => this.#is(one, node) === true) ??
      (this.#is(key, node) === null ? key : null)
    if (found !== null) this.#keys.set(key, found)
    return found
  }

  /** Whether a node of this fleet is the one of the plan; null while nobody knows who it is. */
  #is(own: string, { name, site }: PlanNode): boolean | null {
    const told = this.#options.fleet.told(own, this.#now())
    if (told === null) return false
    const { identity } = told
    if (identity !== null) return identity.name === safe(name) && identity.site === safe(site)
    if (told.site === null) return null
    return told.site === safe(site) && (own === name || own === `${site}/${name}`)
  }
}

function outcomeOf(outcome: CommandOutcome): StepOutcome {
  if (!outcome.ok) return failed(outcome.code, outcome.message, RETRIED.has(outcome.code))
  const read = doneSchema.safeParse(outcome.result)
  if (read.success) return { ok: true, change: read.data.change }
  return failed('FRAME_INVALID', 'it answers in a way that is not known here', true)
}

function failed(code: string, msg: string, retry: boolean): StepOutcome {
  return { ok: false, code: untrusted(code).slice(0, 64), msg: untrusted(msg).slice(0, MAX_MSG_CHARS), retry }
}

function observationOf(key: NodeKey, told: NodeTold | null): NodeObservation {
  if (told === null) return unknownNode(key)
  const { status, identity, heardMs, toldMs, state } = told
  const changes = status?.changes
  return {
    key,
    heardAt: heardMs,
    toldAt: toldMs,
    reach: state === 'up' || state === 'stale' || state === 'offline' ? state : 'unknown',
    instance: status === null ? null : (identity?.instance ?? null),
    counters: status === null ? null : countsOf(status.inference.counters),
    criticalAlerts: (status?.alerts ?? []).filter(({ severity }) => severity === 'critical').length,
    // Texts in it were made safe, which changes nothing of what its words are made of.
    change: (changes?.change ?? null) as ChangeStatus | null,
    confirmed: (changes?.confirmed ?? []) as readonly Item[],
  }
}

function unknownNode(key: NodeKey): NodeObservation {
  return {
    key,
    heardAt: null,
    toldAt: null,
    reach: 'unknown',
    instance: null,
    counters: null,
    criticalAlerts: 0,
    change: null,
    confirmed: [],
  }
}
