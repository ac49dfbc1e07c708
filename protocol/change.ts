import { z } from 'zod'
import { fewOf, unixMs } from './bounds.ts'
import { canonicalJson } from './canonical-json.ts'
import { histogramSchema } from './records.ts'

/**
 * A change of a node: one item (a model, a configuration) that is brought there, tried, put on probation, and then
 * confirmed or taken back (architecture decisions 7, 9 and 10). Verbs `change.*`; a node carries one change at a time.
 */

const word = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const name = z.string().min(1).max(253)
const count = z.int().nonnegative()

/** Kinds of things that are rolled out to daemons. */
export const ITEM_KINDS = ['model', 'config'] as const
/**
 * A signed package by the digest of its statement.
 * @example {"kind":"model","name":"digits","version":"2.0.0","digest":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
 */
export const packageItemSchema = z.strictObject({ kind: z.enum(ITEM_KINDS), name: word, version: word, digest: sha256 })
/**
 * What a change brings: a package, or (`origin: node`) what the node was set up with, which no package holds: the model of its
 * own folder, by the digest of its `manifest.json`, or its own settings ({@link OWN_SETTINGS}). A rollout goes back to that
 * when it undoes another one; the node refuses it when it is no longer what was named.
 */
export const itemSchema = packageItemSchema.extend({ origin: z.literal('node').exactOptional() })
/** @see itemSchema */
export type Item = z.infer<typeof itemSchema>

/** The settings that a node was set up with, with nothing laid over them: the digest is that of nothing. */
export const OWN_SETTINGS: Item = {
  kind: 'config',
  name: 'settings',
  version: 'own',
  digest: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  origin: 'node',
}

/** Whether two items are the same thing. */
export function isSameItem(a: Item, b: Item): boolean {
  return a.kind === b.kind && a.digest === b.digest && a.origin === b.origin
}

/** An item for people: `digits 2.0.0`, `digits 1.0.0 of the node's folder`, `the node's own settings`. */
export function itemWords({ kind, name, version, origin }: NamedItem, between: ' ' | '@' = ' '): string {
  if (origin === undefined) return `${name}${between}${version}`
  return kind === 'model' ? `${name}${between}${version} of the node's folder` : "the node's own settings"
}
type NamedItem = Pick<Item, 'kind' | 'name' | 'version' | 'origin'>

/** Id of a rollout, an activation or a change: what whoever began it made up, unique in the fleet. */
export const changeId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)

/**
 * That an operator wants this item on this node within this rollout (decision 7), signed once for each node when the rollout
 * starts. Whoever drives the rollout shows it with every step: a controller may do nothing on a node without one.
 * @example {"v":1,"rollout":"r7k2m","item":{"kind":"model","name":"digits","version":"2.0.0","digest":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"site":"plant-a","node":"n1","issuedAt":1793000000000,"notAfter":1793604800000,"signature":"c2lnbmF0dXJl","chain":["AA=="]}
 */
export const mandateSchema = z.strictObject({
  v: z.literal(1),
  rollout: changeId,
  item: itemSchema,
  site: name,
  node: name,
  issuedAt: unixMs,
  /** A step that comes later is refused; taking back is not. */
  notAfter: unixMs,
  /** Over {@link mandateText}, base64. */
  signature: z.base64().max(1024),
  /** Certificate of who signed and its issuers, DER in base64; judged as of `issuedAt`, and by the deny list of now. */
  chain: z.array(z.base64().max(8192)).min(1).max(4),
})
/** @see mandateSchema */
export type Mandate = z.infer<typeof mandateSchema>
/** A mandate that is not signed yet. */
export type MandateBody = Omit<Mandate, 'signature' | 'chain'>

/** Longest that a mandate may count, ms: a month, for nodes that come back late. */
export const MANDATE_LIFE_MS = 31 * 86_400_000

/** The text that a mandate's signature is over. */
export function mandateText({ v, rollout, item, site, node, issuedAt, notAfter }: MandateBody): string {
  return `edgedeck mandate v1\n${canonicalJson({ v, rollout, item, site, node, issuedAt, notAfter })}`
}

const step = {
  rollout: changeId,
  /** Rises whenever another driver takes a rollout over; a node refuses a lower one than it has seen of this rollout. */
  term: z.int().positive(),
  /** Absent on a plain link. */
  mandate: mandateSchema.optional(),
}

/** Where a node fetches a package: content by its SHA-256 (`protocol/package.ts`). `link` means a console brings it. */
export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('nats'), bucket: word }),
  z.strictObject({ kind: z.literal('https'), url: z.url({ protocol: /^https?$/ }).max(1024) }),
  z.strictObject({ kind: z.literal('link') }),
])
/** @see sourceSchema */
export type Source = z.infer<typeof sourceSchema>

/** Limits of the node's own watch over a new item; shares are percent of the requests since it was activated. */
export const localGatesSchema = z.strictObject({
  /** Answers that failed by the node's fault. */
  maxFailedPct: z.number().min(0).max(100).default(2),
  /** Answers that took over 50 ms (`alerts.latency`). */
  maxSlowPct: z.number().min(0).max(100).default(10),
  /** Of the pictures that the model before saw too, on shadow. */
  maxDisagreePct: z.number().min(0).max(100).default(20),
  /** No share is judged before so many. */
  minRequests: z.int().min(1).default(50),
})
/** @see localGatesSchema */
export type LocalGates = z.infer<typeof localGatesSchema>

/** Arguments by verb. Each step may be sent again: it is done once and the answer is the same ({@link changeStatusSchema}). */
export const CHANGE_ARGS = {
  /**
   * Fetch, verify, check that it fits; takes the node's change lock. Answers at once, the status tells how far it is. What the
   * node was set up with is not fetched: it is seen that it is still there.
   */
  'change.stage': z.strictObject({ ...step, item: itemSchema, sources: z.array(sourceSchema).min(1).max(8) }),
  /** Run the staged candidate beside what serves, answers untouched; `labelled` names a signed labelled set by its digest. */
  'change.shadow': z.strictObject({
    ...step,
    source: z.enum(['live', 'kept', 'labelled']),
    /** Pictures to compare. */
    samples: z.int().min(1).max(100_000),
    /** Most of the live pictures, percent. */
    samplePct: z.number().min(0).max(100).default(20),
    labelled: sha256.optional(),
  }),
  /** Serve it, on probation: without a `change.confirm` within the time the node goes back by itself. */
  'change.activate': z.strictObject({
    ...step,
    activation: changeId,
    confirmWithinSec: z.int().min(5).max(86_400),
    gates: localGatesSchema,
    /** Go on comparing with the model before on so many of the live pictures, percent. */
    comparePct: z.number().min(0).max(100).default(10),
  }),
  /** Keep it. Refused when this activation was taken back already: the node decides which came first. */
  'change.confirm': z.strictObject({ ...step, activation: changeId }),
  /** Go back to what was confirmed last; fine at every moment, also after a confirm of the same rollout. */
  'change.revert': z.strictObject({ ...step, activation: changeId.optional(), why: z.string().max(200) }),
  /** Let the lock go, whatever the outcome was; what is staged and not confirmed is dropped. */
  'change.end': z.strictObject({ ...step }),
} as const
/** @see CHANGE_ARGS */
export type ChangeVerb = keyof typeof CHANGE_ARGS
/** @see CHANGE_ARGS */
export type ChangeArgs<V extends ChangeVerb> = z.infer<(typeof CHANGE_ARGS)[V]>

/** How far a change is on a node. `failed`: it never served; `reverted`: it served and was taken back. */
export const CHANGE_PHASES = [
  'staging',
  'staged',
  'shadowing',
  'activating',
  'probation',
  'confirmed',
  'reverting',
  'reverted',
  'failed',
] as const
/** @see CHANGE_PHASES */
export type ChangePhase = (typeof CHANGE_PHASES)[number]

/** A change that came to nothing is told in rows of the fleet for so long after its lock was let go, ms. */
export const CAME_TO_NOTHING_TOLD_MS = 3_600_000

/** Why a change was taken back or failed. */
export const CHANGE_FAULTS = [
  'package', // not to be had, damaged, not signed, does not fit this node
  'load', // the model does not load or fails its self-test
  'errors',
  'slow',
  'disagrees',
  'unconfirmed', // no confirmation came in time
  'unclean_starts', // two starts on it did not end well
  'asked', // whoever drives the rollout asked for it
] as const
/** @see CHANGE_FAULTS */
export type ChangeFault = (typeof CHANGE_FAULTS)[number]

const compared = z.object({
  /** Pictures that both saw, and on how many they said the same. */
  compared: count,
  agreed: count,
  /** Pictures on which only the candidate failed. */
  errors: count,
  /** Run times of both over the same pictures. */
  candidateMs: histogramSchema,
  currentMs: histogramSchema,
  /** `[current's class, candidate's class, count]`, the most frequent disagreements. */
  confusion: z.array(z.tuple([count, count, count])).max(64),
})

/** What a shadow has seen so far. */
export const shadowSchema = compared.extend({
  source: z.enum(['live', 'kept', 'labelled']),
  wanted: count,
  isDone: z.boolean(),
  /** Pictures that were to be compared and were not, as too many waited. */
  dropped: count.optional(),
  /** Why it ended before it had seen what was wanted. */
  fault: z.string().max(1024).optional(),
  /** Of a labelled set: how many each gets right. */
  labelled: z.object({ total: count, currentRight: count, candidateRight: count }).optional(),
})
/** @see shadowSchema */
export type ShadowReport = z.infer<typeof shadowSchema>

/** The change that a node carries, or carried last. */
export const changeStatusSchema = z.object({
  rollout: changeId,
  term: z.int().positive(),
  item: itemSchema,
  /** What it goes back to, while the lock is held; absent where the node cannot name it. */
  before: itemSchema.exactOptional(),
  phase: z.enum(CHANGE_PHASES),
  /** Unix ms of the node: since when in this phase. */
  since: unixMs,
  /** Whether the lock is held. */
  isLocked: z.boolean(),
  activation: changeId.nullable(),
  /** On probation: when the node goes back by itself, Unix ms of the node. */
  until: unixMs.nullable(),
  /** Of a delivery under way. */
  progress: z.object({ doneBytes: count, totalBytes: count }).nullable(),
  fault: z.object({ kind: z.enum(CHANGE_FAULTS), msg: z.string().max(1024) }).nullable(),
  /** Answers since it was activated: all that came to the model, those that failed by the node's fault, those over 50 ms. */
  served: z.object({ requests: count, failed: count, slow: count }).nullable(),
  /** Comparison before activation, and of the model before during probation. */
  shadow: shadowSchema.nullable(),
  /** Starts of daemon or model on this activation that did not end well. */
  uncleanStarts: count,
})
/** @see changeStatusSchema */
export type ChangeStatus = z.infer<typeof changeStatusSchema>

/** What of changes a status tells. */
export const statusChanges = z.object({
  /** The change under way, or the last one. */
  change: changeStatusSchema.nullable(),
  /** Confirmed items by kind: what the node goes back to; of a kind that is not named it has what it was set up with. */
  confirmed: z.array(itemSchema).max(8),
  /** Models on the node's disk, `name@version`. */
  models: z.array(z.string().max(129)).max(64),
  /** By what was measured on the node; null before. */
  nodeClass: z.enum(['light', 'heavy']).nullable(),
  /**
   * Each variant of the served model: what it was measured at, ms of a picture in the median (null where it was not), and
   * why it serves or does not.
   */
  variants: fewOf(
    z.object({ runMs: z.number().nonnegative().nullable(), isChosen: z.boolean(), why: z.string().max(200) }),
    {
      most: 16,
      nameChars: 64,
    },
  ),
  /** Settings that are not as the confirmed configuration has them, a line each; absent or empty when all are. */
  drift: z.array(z.string().max(200)).max(32).optional(),
})
/** @see statusChanges */
export type StatusChanges = z.infer<typeof statusChanges>
