import { z } from 'zod'
import type { RecordClass } from '../../../protocol/subjects.ts'

/** Classes that can be sent again: all but what the node keeps for its own screen (samples, minutes) and pictures. */
export const RESEND_CLASSES = [
  'ledger',
  'alert',
  'error',
  'abnormal',
  'stat',
  'metric',
  'normal',
  'log',
] as const satisfies RecordClass[]

/** @see RESEND_CLASSES */
export type ResendClass = (typeof RESEND_CLASSES)[number]

const count = z.int().nonnegative()
const resendClass = z.enum(RESEND_CLASSES)

/** How far one class of a request is. */
const laneProgressSchema = z.object({
  /** Last sequence that the target holds, or that was left out. */
  lastSeq: count,
  records: count,
  blocks: count,
  /** Records that are too large for the target. */
  leftOut: count,
  done: z.boolean(),
})
/** @see laneProgressSchema */
export type LaneProgress = z.infer<typeof laneProgressSchema>

/** A request to send a range of time (Unix ms, both ends included) again, and how far it is, as it is kept. */
export const resendSchema = z.object({
  requestId: z.string().min(1).max(64),
  target: z.string().min(1).max(64),
  fromMs: count,
  toMs: count,
  classes: z.array(resendClass).min(1),
  /** Last sequence when it was asked for: what came later is not part of it. */
  throughSeq: count,
  progress: z.partialRecord(resendClass, laneProgressSchema),
})
/** @see resendSchema */
export type Resend = z.infer<typeof resendSchema>

/** What is told of a request. */
export interface ResendReport {
  readonly requestId: string
  readonly target: string
  readonly state: 'waiting' | 'running' | 'done'
  readonly records: number
  readonly blocks: number
  /** Records that are too large for the target and were passed over. */
  readonly leftOut: number
  /** Why it does not go on now; null when it does, or is done. */
  readonly error: string | null
}

/** Where a class of a request begins. */
export const NOT_BEGUN: LaneProgress = { lastSeq: 0, records: 0, blocks: 0, leftOut: 0, done: false }

/** Whether every class of a request is sent. */
export function isDone({ classes, progress }: Resend): boolean {
  return classes.every((recordClass) => progress[recordClass]?.done === true)
}

/** Sum of a request's classes. */
export function sumOf({ progress }: Resend): Pick<ResendReport, 'records' | 'blocks' | 'leftOut'> {
  const sum = { records: 0, blocks: 0, leftOut: 0 }
  for (const { records, blocks, leftOut } of Object.values(progress)) {
    sum.records += records
    sum.blocks += blocks
    sum.leftOut += leftOut
  }
  return sum
}
