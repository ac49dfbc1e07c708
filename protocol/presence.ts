import { z } from 'zod'
import { CHANGE_FAULTS, CHANGE_PHASES, ITEM_KINDS } from './change.ts'
import { at, count } from './status.ts'

/** Time between two heartbeats of a node, ms, less or more a tenth. */
export const HEARTBEAT_EVERY_MS = 10_000
/** Longest heartbeat that is read, bytes of UTF-8: a node sends about 250, and at most 170 more while a change is told. */
export const MAX_HEARTBEAT_BYTES = 1024

/**
 * What a node tells the bus every ten seconds on `edge.<site>.<node>.status`, whether anybody looks or not: enough for
 * a row of the fleet. Every byte of it is sent 8 640 times a day, so what is not known or nothing is left out. Who it
 * is the subject says. Times are Unix ms on the node's clock.
 * @example {"v":1,"at":1793000000000,"up":1792990000000,"every":10000,"model":"digits@1.0.0 fp32","p99":8.2,"rate":12.5,"cpu":31,"backlog":40,"alerts":[0,1],"deny":4,"trust":1,"audit":"9f86d081884c7d65"}
 */
export const heartbeatSchema = z.object({
  v: z.literal(1),
  at,
  /** Start of the daemon. */
  up: at,
  /** Time to the next one, ms. */
  every: z.int().min(1000).max(600_000),
  model: z.string().max(100).optional(),
  /** p99 of the inferences since the last heartbeat, ms. */
  p99: z.number().nonnegative().optional(),
  /** Inferences a second since the last heartbeat. */
  rate: z.number().nonnegative().optional(),
  /** 0..100. */
  cpu: z.number().min(0).optional(),
  /** Records that not every target has. */
  backlog: count.optional(),
  /** Critical and other alerts that fire. */
  alerts: z.tuple([count, count]).optional(),
  /** Uplink targets that are not up. */
  down: count.optional(),
  /** The disk refuses records. */
  failing: z.literal(true).optional(),
  /** The change that it carries, or that came to nothing within the last hour; as a row of the fleet tells it. */
  change: z
    .object({
      /** Left out for a model. */
      kind: z.enum(ITEM_KINDS).optional(),
      version: z.string().max(64),
      /** It brings what the node was set up with. */
      origin: z.literal('node').optional(),
      phase: z.enum(CHANGE_PHASES),
      /** On probation: when it goes back by itself. */
      until: at.optional(),
      fault: z.enum(CHANGE_FAULTS).optional(),
    })
    .optional(),
  /** Versions of the deny list and the trust bundle that are in force. */
  deny: count.optional(),
  trust: count.optional(),
  /** Begin of the newest hash of its audit. */
  audit: z.string().max(64).optional(),
})
/** @see heartbeatSchema */
export type Heartbeat = z.infer<typeof heartbeatSchema>

/** Read a heartbeat; null for what is none. Never throws. */
export function decodeHeartbeat(data: Uint8Array): Heartbeat | null {
  if (data.length > MAX_HEARTBEAT_BYTES) return null
  try {
    const parsed = heartbeatSchema.safeParse(JSON.parse(Buffer.from(data).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
