import { z } from 'zod'
import { localGatesSchema } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type DocumentFault, describeFault, nearest, readDocument } from '../../settings/document.ts'
import { parseDurationMs } from '../../settings/units.ts'
import type { Portion, Strategy } from './contract.ts'

/** A probation has to outlast the longest soak by so much, s: for whoever decides, and for the confirmation's way. */
export const CONFIRM_SLACK_SEC = 30

const MAX_SEC = 31 * 86_400

/** A duration with its unit, in whole seconds. */
function seconds(least: number, preset: number): z.ZodType<number, unknown> {
  const expected = `expected a duration with its unit, such as "30s" or "5m", of at least ${least}s`
  return z
    .string({ error: expected })
    .transform((text, context) => {
      const ms = parseDurationMs(text)
      if (ms !== null && ms >= least * 1000 && ms <= MAX_SEC * 1000) return Math.round(ms / 1000)
      context.addIssue({ code: 'custom', message: expected })
      return z.NEVER
    })
    .default(preset)
}

/** `5` nodes, or `"20%"` of them. */
const portion = z
  .union([z.int().min(1), z.string()], { error: 'expected a number of nodes, or a share such as "20%"' })
  .transform((given, context): Portion => {
    if (typeof given === 'number') return { count: given }
    const percent = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(given.trim())?.[1] ?? Number.NaN)
    if (percent > 0 && percent <= 100) return { percent }
    context.addIssue({ code: 'custom', message: 'expected a number of nodes, or a share such as "20%"' })
    return z.NEVER
  })

const canary = z
  .union([z.literal('representative'), z.int().min(1), z.array(z.string().min(1)).min(1).max(1000)], {
    error: 'expected "representative", a number of nodes, or a list of nodes',
  })
  .transform((given): Strategy['canary'] => {
    if (given === 'representative') return { kind: 'representative' }
    return typeof given === 'number' ? { kind: 'count', count: given } : { kind: 'nodes', nodes: given }
  })

const share = (preset: number) => z.number().min(0).max(100).default(preset)
const waveName = z.string().regex(/^(all|canary|wave-[1-9]\d{0,3})$/, 'expected "all", "canary" or "wave-1" and so on')

const shadow = z
  .strictObject({
    nodes: z.enum(['canary', 'all'], { error: 'expected canary or all' }).default('canary'),
    source: z.enum(['live', 'kept', 'labelled'], { error: 'expected live, kept or labelled' }).default('live'),
    samples: z.int().min(1).max(100_000).default(200),
    samplePct: z.number().gt(0).max(100).optional(),
    maxDisagreePct: share(20),
    maxWorsePoints: z.number().min(0).max(100).default(0.5),
    labelled: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'expected the digest of a labelled set')
      .nullable()
      .default(null),
  })
  .superRefine(({ source, labelled }, { addIssue }) => {
    if (source === 'labelled' && labelled === null) {
      addIssue({ code: 'custom', path: ['labelled'], message: 'name the labelled set by its digest' })
    }
  })

const gates = z.strictObject({
  maxFailedPct: share(2),
  maxSlowPct: share(10),
  maxDisagreePct: share(20),
  worseFactor: z.number().min(1).max(100).default(2),
  severeFactor: z.number().min(1).max(100).default(3),
  missed: z.number().gt(0).max(0.5).default(0.05),
  minRequests: z.int().min(1).max(1_000_000).default(50),
  falseStop: z.number().gt(0).max(0.5).default(0.05),
})

const shape = {
  canary: canary.default({ kind: 'representative' }),
  waves: z
    .array(portion)
    .min(1)
    .max(100)
    .default([{ percent: 10 }, { percent: 30 }, { percent: 100 }]),
  siteBudget: portion.default({ percent: 25 }),
  parallel: z.int().min(1).max(1000).default(10),
  soak: seconds(1, 120),
  maxSoak: seconds(1, 900),
  pauseAfter: z.array(waveName).max(100).default([]),
  shadow: shadow.nullable().default(() => shadow.parse({})),
  gates: gates.default(() => gates.parse({})),
  localGates: localGatesSchema.default(() => localGatesSchema.parse({})),
  maxFailedNodes: z.int().min(0).max(10_000).default(0),
  confirmWithin: seconds(5, 1200),
  dark: seconds(1, 120),
  deferredFor: seconds(0, 3600),
}

/** A strategy file: durations with units, portions as `5` or `"20%"`. */
const schema = z
  .strictObject(shape)
  .superRefine(({ soak, maxSoak, confirmWithin }, { addIssue }) => {
    if (maxSoak < soak) addIssue({ code: 'custom', path: ['maxSoak'], message: `is less than soak, which is ${soak}s` })
    if (confirmWithin < maxSoak + CONFIRM_SLACK_SEC) {
      const least = maxSoak + CONFIRM_SLACK_SEC
      const message = `a node would go back before its soak is over: write at least ${least}s, or a shorter maxSoak`
      addIssue({ code: 'custom', path: ['confirmWithin'], message })
    }
    if (confirmWithin > 86_400) addIssue({ code: 'custom', path: ['confirmWithin'], message: 'is more than a day' })
  })
  .transform(
    ({ soak, maxSoak, confirmWithin, dark, deferredFor, ...rest }): Strategy => ({
      ...rest,
      soakSec: soak,
      maxSoakSec: maxSoak,
      confirmWithinSec: confirmWithin,
      darkSec: dark,
      deferredForSec: deferredFor,
    }),
  )

/** How a rollout goes when nobody says otherwise. */
export const DEFAULT_STRATEGY: Strategy = schema.parse({})

/** What every key of a strategy file means, in the order of the file. */
export const STRATEGY_KEYS: Readonly<Record<keyof typeof shape, string>> = {
  canary: 'who goes first: `representative` (of each site and class one that is healthy), a number, or a list of nodes',
  waves: 'sizes of the waves after the canary, of all nodes: `5` or `"20%"`; the last one is repeated',
  siteBudget: 'most nodes of a site that may be unavailable at once, whatever made them so',
  parallel: 'most steps under way at once',
  soak: 'how long each node is watched, at least, before it is confirmed; longer where the gates need it',
  maxSoak: 'how long it is watched at most while too little is known; then the rollout pauses',
  pauseAfter: 'waves behind which somebody has to approve: `canary`, `wave-1`, …, or `all`',
  shadow:
    'try it beside what serves first (`nodes`, `source`, `samples`, `samplePct` of the live pictures, `maxDisagreePct`, `maxWorsePoints`, `labelled`); `null` for no shadow',
  gates:
    'limits of a wave (`maxFailedPct`, `maxSlowPct`, `maxDisagreePct`, `worseFactor`, `minRequests`, `falseStop`); it soaks on, up to `maxSoak`, until `severeFactor` times as many failures would have shown but for a chance of `missed` (`severeFactor: 1` asks for no such proof)',
  localGates: "limits of each node's own watch (`maxFailedPct`, `maxSlowPct`, `maxDisagreePct`, `minRequests`)",
  maxFailedNodes: 'most nodes of a wave that may fail or go back by themselves before the rollout stops',
  confirmWithin: 'how long a node serves it without a confirmation before it goes back by itself',
  dark: 'how long a node may be dark after its step before it counts as failed',
  deferredFor: 'how long nodes that could not be changed in their wave are waited for after the last one',
}

/**
 * Read a strategy from YAML text; what it leaves out has its default. `file` is for messages.
 * @throws EdgeError `CONFIG_INVALID` with every fault, its line and what to write instead.
 */
export function parseStrategy(text: string, file: string): Strategy {
  const read = readDocument(text, schema as unknown as z.ZodType<Strategy>)
  if (read.ok) return read.value
  throw new EdgeError('CONFIG_INVALID', {
    message: read.faults.map((fault) => describeFault(file, withHint(fault))).join('\n'),
    next: ['correct the lines named above'],
  })
}

/**
 * A strategy with some keys set as in a file, for knobs of commands and dialogs: `{"soak": "10s"}`.
 * @throws EdgeError `USAGE` that names what is wrong.
 */
export function adjustStrategy(base: Strategy, knobs: Readonly<Record<string, unknown>>): Strategy {
  const { soakSec, maxSoakSec, confirmWithinSec, darkSec, deferredForSec, canary, waves, siteBudget, ...rest } = base
  const written = {
    ...rest,
    canary: canary.kind === 'count' ? canary.count : canary.kind === 'nodes' ? canary.nodes : canary.kind,
    waves: waves.map(writtenPortion),
    siteBudget: writtenPortion(siteBudget),
    soak: `${soakSec}s`,
    maxSoak: `${maxSoakSec}s`,
    confirmWithin: `${confirmWithinSec}s`,
    dark: `${darkSec}s`,
    deferredFor: `${deferredForSec}s`,
    ...knobs,
  }
  const read = schema.safeParse(written)
  if (read.success) return read.data
  throw new EdgeError('USAGE', {
    message: read.error.issues.map((issue) => `${issue.path.join('.') || 'strategy'}: ${issue.message}`).join('; '),
    next: [`the keys are ${Object.keys(shape).join(', ')}`],
  })
}

function writtenPortion(given: Portion): number | string {
  return 'count' in given ? given.count : `${given.percent}%`
}

function withHint(fault: DocumentFault): DocumentFault {
  if (!fault.message.startsWith('unknown key')) return fault
  const known = fault.path.includes('.') ? [] : Object.keys(shape)
  const near = nearest(fault.path, known)
  const cure = near === null ? `the keys are ${known.join(', ')}` : `did you mean "${near}"?`
  return known.length === 0 ? fault : { ...fault, message: `unknown key; ${cure}` }
}

/** How many of `total` a portion is: a share is rounded up to at least one; never more than there are. */
export function portionOf(given: Portion, total: number): number {
  const wanted = 'count' in given ? given.count : Math.max(1, Math.ceil((total * given.percent) / 100 - 1e-9))
  return Math.min(wanted, total)
}
