import { z } from 'zod'
import { unixMs } from '../../../protocol/bounds.ts'
import {
  CHANGE_FAULTS,
  changeId,
  changeStatusSchema,
  itemSchema,
  localGatesSchema,
  mandateSchema,
  sourceSchema,
} from '../../../protocol/change.ts'
import { DECISIONS, type RolloutEvent, STEPS } from '../contract.ts'

/** Most nodes of a plan: more do not fit into an event of a journal. */
export const MAX_PLAN_NODES = 20_000

const count = z.int().nonnegative()
const key = z.string().min(1).max(512)
const name = z.string().min(1).max(253)
const why = z.string().max(16_384)
const keys = z.array(key).max(MAX_PLAN_NODES)
const reasons = z.array(z.object({ key, why })).max(MAX_PLAN_NODES)
const percent = z.number().min(0).max(100)

const portion = z.union([z.strictObject({ count }), z.strictObject({ percent })])
const strategy = z.object({
  canary: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('representative') }),
    z.object({ kind: z.literal('count'), count }),
    z.object({ kind: z.literal('nodes'), nodes: keys }),
  ]),
  waves: z.array(portion).max(1000),
  siteBudget: portion,
  parallel: z.int().positive(),
  soakSec: z.number().nonnegative(),
  maxSoakSec: z.number().nonnegative(),
  pauseAfter: z.array(z.string().max(64)).max(1000),
  shadow: z
    .object({
      nodes: z.enum(['canary', 'all']),
      source: z.enum(['live', 'kept', 'labelled']),
      samples: count,
      samplePct: percent.optional(),
      maxDisagreePct: percent,
      maxWorsePoints: z.number().nonnegative(),
      labelled: z.string().max(64).nullable(),
    })
    .nullable(),
  gates: z.object({
    maxFailedPct: percent,
    maxSlowPct: percent,
    maxDisagreePct: percent,
    worseFactor: z.number().nonnegative(),
    severeFactor: z.number().nonnegative().optional(),
    missed: z.number().min(0).max(1).optional(),
    minRequests: count,
    falseStop: z.number().min(0).max(1),
  }),
  localGates: localGatesSchema,
  maxFailedNodes: count,
  confirmWithinSec: z.number().positive(),
  darkSec: z.number().nonnegative(),
  deferredForSec: z.number().nonnegative(),
})

const plan = z.object({
  v: z.literal(1),
  rollout: changeId,
  target: z.enum(['daemon', 'workload']),
  item: itemSchema,
  sources: z.array(sourceSchema).max(8),
  strategy,
  nodes: z
    .array(
      z.object({
        key,
        name,
        site: name,
        nodeClass: z.enum(['light', 'heavy']).nullable(),
        requestsPerSec: z.number().nonnegative().nullable(),
        before: itemSchema.nullable(),
        item: itemSchema.nullable(),
      }),
    )
    .max(MAX_PLAN_NODES),
  waves: z.array(z.object({ name: z.string().max(64), nodes: keys, needsApproval: z.boolean() })).max(10_000),
  deferred: reasons,
  unchanged: keys,
  leftOut: reasons,
  peers: keys,
  fleetRequestsPerSec: z.number().nonnegative().exactOptional(),
  undoes: changeId.nullable(),
})

const chain = z.array(z.base64().max(8192)).min(1).max(4)
const by = z.object({ name: z.string().max(253), signature: z.base64().max(1024).nullable(), chain: chain.nullable() })
const counts = z.object({ requests: count, failed: count, slow: count })
const baseline = counts.extend({ instance: z.string().max(64).nullable(), criticalAlerts: count })
const finding = z.object({
  gate: z.enum(['failed', 'slow', 'disagrees', 'labelled', 'alerts', 'dark']),
  against: z.enum(['limit', 'baseline']),
  verdict: z.enum(['pass', 'fail', 'inconclusive']),
  msg: why,
  changed: counts.nullable(),
  baseline: counts.nullable(),
})
const wave = z.string().max(64)
const step = z.enum(STEPS)

/** What every event says, and what each kind says. */
const head = { at: unixMs, term: count }

/** An event of a journal, as it comes from a file or a bus. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({ ...head, type: z.literal('rollout.started'), plan, by, why: why.nullable() }),
  z.object({
    ...head,
    type: z.literal('mandates.given'),
    chain,
    mandates: z.array(z.object({ key, mandate: mandateSchema.omit({ chain: true }) })).max(1000),
  }),
  z.object({ ...head, type: z.literal('driver.took'), holder: z.string().max(253) }),
  z.object({
    ...head,
    type: z.literal('person.decided'),
    decision: z.enum(DECISIONS),
    wave: wave.nullable(),
    by,
    why: why.nullable(),
  }),
  z.object({ ...head, type: z.literal('wave.began'), wave }),
  z.object({
    ...head,
    type: z.literal('step.intended'),
    node: key,
    step,
    attempt: count,
    activation: changeId.nullable(),
    why: why.nullable(),
  }),
  z.object({ ...head, type: z.literal('step.done'), node: key, step, change: changeStatusSchema.nullable() }),
  z.object({
    ...head,
    type: z.literal('step.failed'),
    node: key,
    step,
    code: z.string().max(64),
    msg: why,
    isFinal: z.boolean(),
  }),
  z.object({ ...head, type: z.literal('node.returned'), node: key, fault: z.enum(CHANGE_FAULTS), msg: why }),
  z.object({ ...head, type: z.literal('node.deferred'), node: key, why }),
  z.object({ ...head, type: z.literal('node.suspected'), node: key, why }),
  z.object({ ...head, type: z.literal('node.cleared'), node: key, why }),
  z.object({ ...head, type: z.literal('baseline.taken'), wave, counters: z.record(key, baseline) }),
  z.object({
    ...head,
    type: z.literal('gate.judged'),
    wave,
    verdict: z.object({ verdict: finding.shape.verdict, findings: z.array(finding).max(1000) }),
  }),
  z.object({ ...head, type: z.literal('wave.ended'), wave, why }),
  z.object({ ...head, type: z.literal('rollout.paused'), why }),
  z.object({ ...head, type: z.literal('rollout.failing'), why }),
  z.object({
    ...head,
    type: z.literal('rollout.ended'),
    outcome: z.enum(['done', 'reverted']),
    exceptions: reasons,
  }),
]) satisfies z.ZodType<RolloutEvent>
