import { z } from 'zod'
import { unixMs } from '../../protocol/bounds.ts'
import {
  CHANGE_FAULTS,
  CHANGE_PHASES,
  changeId,
  ITEM_KINDS,
  type Item,
  itemSchema,
  localGatesSchema,
  packageItemSchema,
  shadowSchema,
  sourceSchema,
} from '../../protocol/change.ts'

/** What of a `change.shadow` is kept: a daemon that starts again in the middle begins the comparison anew. */
export const shadowWishSchema = z.strictObject({
  source: z.enum(['live', 'kept', 'labelled']),
  samples: z.int().min(1).max(100_000),
  samplePct: z.number().min(0).max(100),
  labelled: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})
/** @see shadowWishSchema */
export type ShadowWish = z.infer<typeof shadowWishSchema>

const served = z.strictObject({
  requests: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  slow: z.int().nonnegative(),
})
/** Answers since an activation. */
export type Served = z.infer<typeof served>

/**
 * How much of a probation is over, as of a moment: within one boot of the machine its uptime tells, which no clock
 * moves; across boots the wall clock can only shorten it.
 */
const spentTime = z.strictObject({
  spentMs: z.number().nonnegative(),
  bootId: z.string().max(64),
  atUpMs: z.number().nonnegative(),
  atWallMs: unixMs,
})
/** @see spentTime */
export type SpentTime = z.infer<typeof spentTime>

const trial = z.strictObject({
  withinMs: z.int().positive(),
  gates: localGatesSchema,
  comparePct: z.number().min(0).max(100),
  /** Null until it serves. */
  spent: spentTime.nullable(),
})

const change = z.strictObject({
  rollout: changeId,
  term: z.int().positive(),
  item: itemSchema,
  phase: z.enum(CHANGE_PHASES),
  since: unixMs,
  isLocked: z.boolean(),
  /** The lock is let go once the node is back. */
  isEnding: z.boolean(),
  sources: z.array(sourceSchema).max(8),
  shadow: z.strictObject({ wish: shadowWishSchema, report: shadowSchema.nullable() }).nullable(),
  activation: changeId.nullable(),
  trial: trial.nullable(),
  /** What it goes back to: confirmed when this change began to serve; null for what stands in `models.dir`. */
  before: packageItemSchema.nullable(),
  fault: z.strictObject({ kind: z.enum(CHANGE_FAULTS), msg: z.string().max(1024) }).nullable(),
  uncleanStarts: z.int().nonnegative(),
  /** Synced before the item is loaded, gone once it has served cleanly for a while: a start that finds it was not clean. */
  isMarked: z.boolean(),
  served: served.nullable(),
})
/** The change that a node carries or carried last. */
export type Change = z.infer<typeof change>

const ended = z.strictObject({
  rollout: changeId,
  activation: changeId,
  outcome: z.enum(['confirmed', 'reverted']),
  msg: z.string().max(1024),
})

/** Rollouts whose terms are remembered, and activations whose outcomes are. */
export const MEMORY = { terms: 64, ended: 32 } as const

/** All that a node knows of changes; the one file holds it. */
export const slotStateSchema = z.strictObject({
  v: z.literal(1),
  /** Highest term seen of each rollout, the one heard last at the end. */
  terms: z.array(z.strictObject({ rollout: changeId, term: z.int().positive() })).max(MEMORY.terms),
  change: change.nullable(),
  /** What counts as good, at most one of a kind; for a kind that is not named, what the node was set up with. */
  confirmed: z
    .array(packageItemSchema)
    .max(ITEM_KINDS.length)
    .refine((items) => new Set(items.map(({ kind }) => kind)).size === items.length, 'it has two of a kind'),
  /** Outcomes of activations, newest last: a late word on one is answered by them. */
  ended: z.array(ended).max(MEMORY.ended),
})
/** @see slotStateSchema */
export type SlotState = z.infer<typeof slotStateSchema>

/** The slot of a node that never carried a change. */
export const EMPTY_SLOT: SlotState = { v: 1, terms: [], change: null, confirmed: [], ended: [] }

/** The clocks of a moment. */
export interface Moment {
  /** Unix ms; may jump. */
  readonly wallMs: number
  /** Time since the machine started, ms. */
  readonly upMs: number
  /** Changes with every start of the machine. */
  readonly bootId: string
}

/** How much of a probation is over at a moment, ms. */
export function spentMs(spent: SpentTime, now: Moment): number {
  const isSameBoot = spent.bootId === now.bootId && now.upMs >= spent.atUpMs
  return spent.spentMs + Math.max(0, isSameBoot ? now.upMs - spent.atUpMs : now.wallMs - spent.atWallMs)
}

/** The confirmed item of a kind; null for what the node was set up with. */
export function confirmedOf(state: SlotState, kind: Item['kind']): Item | null {
  return state.confirmed.find((item) => item.kind === kind) ?? null
}

/**
 * What serves when the daemon starts: a candidate on probation, else what is confirmed. One that was being activated is
 * loaded beside it.
 */
export function wantedItem(state: SlotState, kind: Item['kind']): Item | null {
  const { change } = state
  return change?.item.kind === kind && change.phase === 'probation' ? change.item : confirmedOf(state, kind)
}

/** Digest of the package that an item is of; null for what the node was set up with. */
export function packageOf(item: Item | null): string | null {
  return item === null || item.origin !== undefined ? null : item.digest
}

/** Digests that must stay on the disk: what counts as good, what it may go back to, and what is being brought there. */
export function pinnedDigests(state: SlotState): Set<string> {
  const { change, confirmed } = state
  const items = [...confirmed]
  if (change !== null) {
    if (change.before !== null) items.push(change.before)
    if (change.phase !== 'failed' && change.phase !== 'reverted') items.push(change.item)
  }
  const packages = items.flatMap((item) => packageOf(item) ?? [])
  const labelled = change?.phase === 'shadowing' ? change.shadow?.wish.labelled : undefined
  return new Set([...packages, ...(labelled === undefined ? [] : [labelled])])
}
