import { z } from 'zod'
import { fewOf, unixMs } from './bounds.ts'
import { MAX_BUCKET, MIN_BUCKET } from './histogram.ts'

/** A sentence for people, as long as it may be in a record; a daemon cuts its own at 4096. */
const sentence = z.string().max(65_536)

/**
 * The records a node keeps and sends upstream, one JSON object each, snake_case. `seq` is the record's own sequence on
 * its node: one rising sequence per epoch across all classes, so upstream it has gaps. Times are Unix ms, durations ms.
 */
const envelope = {
  /** Position on this node in this epoch, from 1; 0 only on live rows of a record that the disk refused to keep. */
  seq: z.int().nonnegative(),
  node_id: z.string().min(1).max(253),
  timestamp: unixMs,
}

/** @see HistogramData in histogram.ts: sparse `[bucket, count]` pairs. */
export const histogramSchema = z.object({
  count: z.int().nonnegative(),
  sumMs: z.number().nonnegative(),
  maxMs: z.number().nonnegative(),
  buckets: z.array(z.tuple([z.int().min(MIN_BUCKET).max(MAX_BUCKET), z.int().positive()])).max(1000),
})

/**
 * One inference. `reason` is the name of the rule by which an abnormal result is abnormal: `failed`, `undecodable` and
 * `low_confidence` where nobody wrote others, `rule_error` when a rule could not be asked. `over_rate` marks one that was abnormal but stays on
 * the node, counted in a statistic, because more than `filter.abnormalPerSec` came.
 *
 * @example {"seq":41,"node_id":"n1","timestamp":1793000000000,"code":200,"pred":7,"confidence":0.41,"model":"digits@1.0.0","total_ms":6.2,"bytes":91230,"reason":"low_confidence"}
 */
export const resultRecordSchema = z.object({
  ...envelope,
  code: z.int(),
  pred: z.int().nullable(),
  /** Probability of `pred`, 0..1; null when there is none. */
  confidence: z.number().min(0).max(1).nullable(),
  model: z.string().max(256).nullable(),
  /** From the first byte of the request to just before the commit. */
  total_ms: z.number().nonnegative(),
  /** Size of the request body as received. */
  bytes: z.int().nonnegative(),
  msg: sentence.optional(),
  reason: z.string().min(1).max(128).optional(),
  over_rate: z.literal(true).optional(),
})

/**
 * One aggregate over the results with `first_seq ≤ seq ≤ last_seq` that did not go up themselves. Ranges of one epoch
 * never overlap and leave no result out.
 *
 * @example {"seq":142,"node_id":"n1","timestamp":1793000060000,"first_seq":41,"last_seq":141,"from":1793000000000,"to":1793000060000,"count":100,"ok":100,"success_rate":1,"over_rate":{},"mean_ms":5.9,"p50_ms":5.6,"p99_ms":9.8,"latency":{"count":100,"sumMs":590,"maxMs":9.8,"buckets":[[40,60],[53,40]]}}
 */
export const statRecordSchema = z.object({
  ...envelope,
  /** Epoch of the results when it is not the one this record was written in (folded after a lost tail). */
  epoch: z.string().max(64).optional(),
  first_seq: z.int().positive(),
  last_seq: z.int().positive(),
  /** Timestamps of the first and last result covered. */
  from: unixMs,
  to: unixMs,
  count: z.int().positive(),
  /** Results with code 200. */
  ok: z.int().nonnegative(),
  success_rate: z.number().min(0).max(1),
  /** Abnormal results over the rate limit, counted by reason. */
  over_rate: fewOf(z.int().positive(), { most: 128, nameChars: 128 }),
  mean_ms: z.number(),
  p50_ms: z.number(),
  p99_ms: z.number(),
  latency: histogramSchema,
})

/** How bad: `critical` wants somebody now, `warning` today, `info` is a note. */
export const severitySchema = z.enum(['info', 'warning', 'critical'])

/**
 * An alert began or ended. The same `rule` is never fired twice without being resolved in between.
 *
 * @example {"seq":9,"node_id":"n1","timestamp":1793000000000,"rule":"cpu_high","state":"firing","severity":"warning","value":91.5,"threshold":80,"unit":"%","since":1792999970000,"msg":"CPU 91.5 % is over 80 % for 30 s"}
 */
export const alertRecordSchema = z.object({
  ...envelope,
  rule: z.string().max(128),
  state: z.enum(['firing', 'resolved']),
  severity: severitySchema,
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  unit: z.string().max(32),
  since: unixMs,
  msg: sentence,
})

/** Log levels, worst last. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const
export const logLevelSchema = z.enum(LOG_LEVELS)
/** @see LOG_LEVELS */
export type LogLevel = z.infer<typeof logLevelSchema>

/**
 * One log line. `fields` are its structured parts, `origin` says where it stood in what the daemon follows (a file and the
 * offset behind the line, a journal's cursor), `before` are the lines of its source just before it, on a
 * line that goes up: each in one text, message and then fields.
 *
 * @example {"seq":12,"node_id":"n1","timestamp":1793000000000,"level":"error","source":"nginx","msg":"upstream timed out","fields":{"camera":"7"},"origin":"f3a9:40213","before":[{"timestamp":1792999999000,"level":"info","msg":"GET /infer"}]}
 */
export const logRecordSchema = z.object({
  ...envelope,
  level: logLevelSchema,
  source: z.string().max(256),
  msg: sentence,
  fields: fewOf(z.union([sentence, z.number(), z.boolean(), z.null()]), { most: 64, nameChars: 256 }).optional(),
  origin: z.string().max(256).optional(),
  /** Characters that a line over the bound lost at its end. */
  cut_chars: z.int().positive().optional(),
  before: z
    .array(z.object({ timestamp: unixMs, level: logLevelSchema, msg: z.string().max(4096) }))
    .max(32)
    .optional(),
})

/**
 * What a node dropped, lost or set aside: the range, the count and why. It travels before everything else.
 *
 * @example {"seq":7001,"node_id":"n1","timestamp":1793000000000,"event":"evicted","reason":"max_bytes","first_seq":1,"last_seq":900,"records":{"normal":880,"stat":20},"bytes":180000,"msg":"oldest segment removed"}
 */
export const ledgerRecordSchema = z.object({
  ...envelope,
  event: z.enum(['evicted', 'corrupt', 'lost_tail', 'not_stored', 'new_epoch', 'undeliverable', 'rewound']),
  reason: z.string().max(128),
  first_seq: z.int().nonnegative().nullable(),
  last_seq: z.int().nonnegative().nullable(),
  records: fewOf(z.int().nonnegative(), { most: 64 }),
  bytes: z.int().nonnegative(),
  msg: sentence,
})

/**
 * The picture of a result, kept on the node (requirement L4a). It stands directly behind its result in the sequence.
 *
 * @example {"seq":42,"node_id":"n1","timestamp":1793000000000,"content_type":"image/png","bytes":4,"data":"iVBORw=="}
 */
export const inputRecordSchema = z.object({
  ...envelope,
  content_type: z.string().max(64),
  /** Size of the picture. */
  bytes: z.int().nonnegative(),
  /** The picture in base64. The result it belongs to is the record before: `seq − 1`. */
  data: z.base64(),
})

/**
 * A metric that is not as it should be, by a rule of `filter.metrics`: it began, goes on, or ended.
 *
 * @example {"seq":77,"node_id":"n1","timestamp":1793000000000,"rule":"cpu_hot","state":"abnormal","expr":"host.cpuPct > 90.0","values":{"host.cpuPct":93.1},"from":1792999990000,"to":1793000000000}
 */
export const metricRecordSchema = z.object({
  ...envelope,
  rule: z.string().max(128),
  state: z.enum(['abnormal', 'normal']),
  expr: z.string().max(4096),
  /** What the expression looked at, by path. */
  values: fewOf(z.union([z.number(), sentence, z.boolean(), z.null()]), { most: 128, nameChars: 128 }),
  from: unixMs,
  to: unixMs,
})

export type InputRecord = z.infer<typeof inputRecordSchema>
export type MetricRecord = z.infer<typeof metricRecordSchema>
export type ResultRecord = z.infer<typeof resultRecordSchema>
export type StatRecord = z.infer<typeof statRecordSchema>
export type AlertRecord = z.infer<typeof alertRecordSchema>
export type LogRecord = z.infer<typeof logRecordSchema>
export type LedgerRecord = z.infer<typeof ledgerRecordSchema>
export type Severity = z.infer<typeof severitySchema>
export type HistogramWire = z.infer<typeof histogramSchema>
