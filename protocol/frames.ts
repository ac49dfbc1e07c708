import { z } from 'zod'
import { auditRecordSchema } from './audit.ts'
import { envelopeSchema } from './envelope.ts'
import { type JsonShape, readJson } from './json-shape.ts'
import { logFilterSchema } from './log-filter.ts'
import { isLogRowsFrame } from './log-rows.ts'
import {
  alertRecordSchema,
  LOG_LEVELS,
  ledgerRecordSchema,
  logLevelSchema,
  logRecordSchema,
  metricRecordSchema,
  resultRecordSchema,
  statRecordSchema,
} from './records.ts'
import { at, bytes, count, sampleRecordSchema, statusBody, statusSessions, text } from './status.ts'

/**
 * Live frames: what a console and a daemon say to each other, camelCase JSON, one frame a message, whatever carries it.
 * Counters are cumulative since the daemon's start (`instance`), so a missed frame loses no count; histograms cover the
 * window since the last status frame that this session was sent. Times are Unix ms on the sender's clock.
 */
export const FRAME_VERSION = 1
/** WebSocket subprotocol name. */
export const LIVE_SUBPROTOCOL = 'edgedeck.v1'
/** Path of the live feed on the control listener. */
export const LIVE_PATH = '/live'
/** Largest frame either side accepts, bytes of UTF-8. */
export const MAX_FRAME_BYTES = 256 * 1024
/** Shape of a frame from a daemon: rows of histograms are the largest that an honest one sends. */
export const DAEMON_FRAME_SHAPE: JsonShape = { depth: 32, values: 65_536 }
/** Shape of a frame from a console: a command with arguments is the largest. */
export const CLIENT_FRAME_SHAPE: JsonShape = { depth: 32, values: 4096 }
/** Most steps of time in one answer to a `tally`. */
export const MAX_TALLY_STEPS = 2000
/** Most frames a second a daemon takes from one console; over it the session is closed with `FRAME_RATE`. */
export const MAX_CLIENT_FRAMES_PER_SEC = 100

const id = z.string().min(1).max(64)
const everyMs = z.int().min(100).max(600_000)

export const topicSchema = z.enum(['status', 'alerts', 'logs', 'results'])
/** What can be subscribed to. */
export type Topic = z.infer<typeof topicSchema>

// ── console → daemon ────────────────────────────────────────────────────────────────────────────────────────────────

/** First frame of a console. @example {"t":"hello","v":1,"at":1793000000000,"client":{"name":"edgedeck","version":"0.1.0"}} */
const hello = z.object({
  t: z.literal('hello'),
  v: z.int(),
  at,
  client: z.object({ name: z.string().max(64), version: z.string().max(32) }),
})

/**
 * Ask for a topic. Each frame sent under `id` costs one credit; without credit the daemon sends nothing and keeps
 * nothing but a count: `status` is merged into the next frame, other topics are told in a `gap`. `backlog` asks for up
 * to that many most recent kept rows first.
 * @example {"t":"subscribe","id":"logs-1","topic":"logs","credits":32,"level":"warn","contains":"uplink","backlog":100}
 */
const subscribe = z.object({
  t: z.literal('subscribe'),
  id,
  topic: topicSchema,
  credits: z.int().min(0).max(10_000),
  level: logLevelSchema.optional(),
  contains: z.string().max(256).optional(),
  /** Topic `logs`: which lines, on top of `level` and `contains`. */
  filter: logFilterSchema.optional(),
  abnormalOnly: z.boolean().optional(),
  backlog: z.int().min(0).max(1000).optional(),
  /** Of the backlog only rows with `seq > afterSeq`: what came while the reader was away. What does not fit is told in a `gap`. */
  afterSeq: z.int().nonnegative().optional(),
  /** Topic `status`: time between two frames, ms; absent = as often as the node offers. */
  everyMs: everyMs.optional(),
})
/**
 * Change how often a `status` subscription is told, ms; the answer is a status frame at once. Nothing is lost by it: the
 * windows of the frames join. @example {"t":"pace","id":"status-1","everyMs":10000}
 */
const pace = z.object({ t: z.literal('pace'), id, everyMs })
/** Grant more credits. @example {"t":"credit","id":"logs-1","n":16} */
const credit = z.object({ t: z.literal('credit'), id, n: z.int().min(1).max(10_000) })
/** @example {"t":"unsubscribe","id":"logs-1"} */
const unsubscribe = z.object({ t: z.literal('unsubscribe'), id })
/**
 * What can be read back. `status` are the kept samples of the node's metrics, 1 s each and then 1 min each; `stats` are
 * the statistics of results, `metrics` the metrics that were not as they should be, `audit` who did what.
 */
export const READ_TOPICS = ['alerts', 'logs', 'results', 'status', 'ledger', 'stats', 'metrics', 'audit'] as const
/**
 * Read what the node keeps of a topic, oldest first, `fromMs ≤ timestamp ≤ toMs` and `seq > afterSeq`. Answered by `rows`
 * frames and an `end`. With `credits` each rows frame costs one, and the node waits for a `credit` when there is none;
 * an `unsubscribe` of the id ends the read early.
 * @example {"t":"read","id":"r1","topic":"results","fromMs":1793000000000,"toMs":1793000060000,"limit":500,"credits":4}
 */
const read = z.object({
  t: z.literal('read'),
  id,
  topic: z.enum(READ_TOPICS),
  fromMs: at,
  /** Later than any record is fine: it means to the end. */
  toMs: z.int().nonnegative(),
  limit: z.int().min(1).max(10_000),
  afterSeq: z.int().nonnegative().optional(),
  /** Newest first: the `limit` newest rows, falling; `seq < beforeSeq` goes on from there. */
  newestFirst: z.boolean().optional(),
  beforeSeq: z.int().positive().optional(),
  /** Topic `logs`: only lines that pass; `progress` frames tell how far a long search has got. */
  filter: logFilterSchema.optional(),
  credits: z.int().min(1).max(10_000).optional(),
})
/**
 * Count kept log lines by level over time, for a histogram. Answered by one `tallied`, or by an `error`.
 * @example {"t":"tally","id":"h1","fromMs":1793000000000,"toMs":1793003600000,"stepMs":60000,"filter":{"level":"error"}}
 */
const tally = z.object({
  t: z.literal('tally'),
  id,
  fromMs: at,
  toMs: z.int().nonnegative(),
  /** Width of a step, ms; at most {@link MAX_TALLY_STEPS} steps are counted. */
  stepMs: z.int().min(1000).max(86_400_000),
  filter: logFilterSchema.optional(),
})
/**
 * Fetch the kept picture of a result (requirement L4a). Answered by `picture` frames, the last of which says so, or by an
 * `error`. `credits` are as with `read`: each picture frame costs one; an `unsubscribe` of the id ends it early.
 * @example {"t":"fetch","id":"p1","seq":41}
 */
const fetch = z.object({
  t: z.literal('fetch'),
  id,
  seq: z.int().positive(),
  credits: z.int().min(1).max(10_000).optional(),
})
/**
 * A verb for the node; the answer is `done` or `error` with the same id. A verb that changes something comes with the
 * envelope in which somebody signed it. @example {"t":"command","id":"c1","verb":"fault.slow","args":{"ms":120}} */
const command = z.object({
  t: z.literal('command'),
  id,
  verb: z.string().max(64),
  args: z.record(z.string(), z.json()),
  envelope: envelopeSchema.optional(),
})

// ── both ways ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Clock probe, either way. @example {"t":"ping","n":3,"at":1793000000000} */
const ping = z.object({ t: z.literal('ping'), n: count, at })
/**
 * Answer to a probe: `echo` is the ping's `at`, `recvAt` and `at` are the answerer's clock (NTP, RFC 5905 section 8).
 * `trustedAt` is the time by which a node judges certificates and commands, where that is another than its clock's.
 * @example {"t":"pong","n":3,"echo":1793000000000,"recvAt":1793000000004,"at":1793000000005}
 */
const pong = z.object({ t: z.literal('pong'), n: count, echo: at, recvAt: at, at, trustedAt: at.optional() })

// ── daemon → console ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * First frame of a daemon. `instance` changes with every start.
 * @example {"t":"welcome","v":1,"at":1793000000000,"node":{"name":"n1","site":"plant-a","version":"0.1.0","instance":"0b9d","startedAt":1792990000000},"intervalMs":1000}
 */
const welcome = z.object({
  t: z.literal('welcome'),
  v: z.int(),
  at,
  node: z.object({
    name: z.string().min(1).max(253),
    site: z.string().min(1).max(253),
    version: z.string().max(32),
    instance: z.string().max(64),
    startedAt: at,
  }),
  /** Announced time between status frames, ms. */
  intervalMs: z.int().min(100).max(600_000),
})

/**
 * Everything the fleet and node screens draw of a node.
 * @example {"t":"status","id":"status","n":12,"at":1793000000000,"conditions":[{"code":"store_failing","severity":"critical","msg":"the disk refuses results","since":1792999990000}],"host":{"source":"builtin","cpuPct":12.5,"cores":2,"load1":0.4,"memUsedBytes":1000000000,"memTotalBytes":4000000000,"diskUsedBytes":9000000000,"diskTotalBytes":64000000000,"netRxBytesPerSec":550000,"netTxBytesPerSec":5200,"tempC":null},"inference":{"model":{"name":"digits","version":"1.0.0","variant":"fp32"},"childPid":4242,"generation":1,"queued":0,"inFlight":1,"counters":{"requests":2,"ok":2,"abnormal":0,"undecodable":0,"failed":0,"malformed":0,"notStored":0,"overRate":0,"childRestarts":0,"rawBytes":184000},"windowMs":1000,"latency":{"decode":{"count":2,"sumMs":12.5,"maxMs":7.1,"buckets":[[39,1],[46,1]]},"queue":{"count":0,"sumMs":0,"maxMs":0,"buckets":[]},"run":{"count":0,"sumMs":0,"maxMs":0,"buckets":[]},"commit":{"count":0,"sumMs":0,"maxMs":0,"buckets":[]},"total":{"count":2,"sumMs":12.5,"maxMs":7.1,"buckets":[[39,1],[46,1]]}}},"uplink":{"targets":[{"name":"nats","kind":"nats","state":"up","since":1792999990000,"backlogRecords":0,"backlogBytes":0,"oldestAt":null,"ackedSeq":41,"rttMs":1.2,"error":null}],"sentBytes":{"abnormal":464,"control":281,"telemetry":69000},"backlogRecords":0},"store":{"state":"ok","epoch":"1746f80b8ae250f4af1a24993cda7300","firstSeq":1,"lastSeq":42,"records":42,"bytes":9000,"maxBytes":2000000000,"segments":1,"commits":40,"evictedRecords":0,"corruptBlocks":0,"error":null},"alerts":[],"faults":{},"sessions":[{"key":2,"who":"mia","kind":"operator","role":"operator","route":"direct","since":1792999990000,"last":{"verb":"resend","at":1793000000000}},{"key":3,"who":"ben","kind":"operator","role":"viewer","route":"nats","since":1792999990000}],"session":{"rttMs":0.4,"clockOffsetMs":-1.5,"key":3}}
 */
const status = z.object({
  t: z.literal('status'),
  id,
  /** Rises by one a frame; a hole says how many were merged. */
  n: count,
  at,
  /** When the next frame comes at the latest, ms from now: as was asked, and longer where the cap is short. */
  everyMs: everyMs.optional(),
  ...statusBody,
  ...statusSessions,
  /** What the daemon measured of this session, null before the first answer; `key` is its name among `sessions`. */
  session: z.object({
    rttMs: z.number().nonnegative().nullable(),
    clockOffsetMs: z.number().nullable(),
    key: count.optional(),
  }),
})

/** Rows of a subscription or a read. @example {"t":"rows","id":"logs-1","topic":"logs","rows":[{"seq":12,"node_id":"n1","timestamp":1793000000000,"level":"error","source":"edge-daemon","msg":"uplink lost"}]} */
const rows = z.discriminatedUnion('topic', [
  z.object({ t: z.literal('rows'), id, topic: z.literal('alerts'), rows: z.array(alertRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('logs'), rows: z.array(logRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('results'), rows: z.array(resultRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('status'), rows: z.array(sampleRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('ledger'), rows: z.array(ledgerRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('stats'), rows: z.array(statRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('metrics'), rows: z.array(metricRecordSchema).max(1000) }),
  z.object({ t: z.literal('rows'), id, topic: z.literal('audit'), rows: z.array(auditRecordSchema).max(1000) }),
])
/** Rows that were not sent and why. @example {"t":"gap","id":"logs-1","topic":"logs","missed":420,"reason":"no_credit","fromMs":1,"toMs":2} */
const gap = z.object({
  t: z.literal('gap'),
  id,
  topic: z.enum(READ_TOPICS),
  missed: z.int().positive(),
  /**
   * `away`: they came while the console had no session, and were too many to be read back. The last three are told only
   * to who gave a `filter`, and nobody looked whether these rows would have passed it: `over_quota` when matching took
   * more of the node than it may, `damaged` for rows that the disk no longer gives, `sealed` for rows whose key is missing.
   */
  reason: z.enum(['no_credit', 'slow_reader', 'evicted', 'too_large', 'away', 'over_quota', 'damaged', 'sealed']),
  fromMs: at,
  toMs: at,
})
/**
 * A read is complete; `truncated` when the limit stopped it. Read on with `afterSeq` = `lastSeq`, or with `beforeSeq` =
 * `lastSeq` where it goes newest first.
 * @example {"t":"end","id":"r1","truncated":true,"lastSeq":512}
 */
const end = z.object({ t: z.literal('end'), id, truncated: z.boolean(), lastSeq: count.nullable().optional() })
/**
 * How far a filtered read has got, at most once a second: it looked at records up to this time (from this time on when it
 * goes newest first), so many bytes of them. @example {"t":"progress","id":"r1","atMs":1793000000000,"lookedAtBytes":52000000}
 */
const progress = z.object({ t: z.literal('progress'), id, atMs: at, lookedAtBytes: bytes })
/**
 * Log lines by time and level; steps in which there are none are left out. `fromMs` is the time from which on everything
 * is known: older lines are no longer kept.
 * @example {"t":"tallied","id":"h1","stepMs":60000,"fromMs":1793000000000,"steps":[{"startMs":1793000000000,"lines":[0,0,0,4,0]}]}
 */
const tallied = z.object({
  t: z.literal('tallied'),
  id,
  stepMs: z.int().positive(),
  fromMs: at,
  /** `lines` by level, in the order of `LOG_LEVELS`. */
  steps: z.array(z.object({ startMs: at, lines: z.array(count).length(LOG_LEVELS.length) })).max(MAX_TALLY_STEPS),
})
/**
 * A stretch of a kept picture, in order; `data` is base64.
 * @example {"t":"picture","id":"p1","seq":41,"contentType":"image/png","sizeBytes":4,"offset":0,"data":"iVBORw==","last":true}
 */
const picture = z.object({
  t: z.literal('picture'),
  id,
  seq: count,
  contentType: z.string().max(64),
  sizeBytes: bytes,
  offset: bytes,
  data: z.base64().max(176_000),
  last: z.boolean(),
})
/**
 * A command was carried out.
 * @example {"t":"done","id":"c1","result":{"slowMs":120}}
 */
const done = z.object({ t: z.literal('done'), id, result: z.record(z.string(), z.json()) })
/**
 * A frame was refused; the session goes on unless it is closed too.
 * @example {"t":"error","id":"c1","code":"COMMAND_REFUSED","msg":"this node takes no declared faults","next":["set faults.allow to true, for drills only"]}
 */
const error = z.object({
  t: z.literal('error'),
  id: id.nullable(),
  code: z.string().max(64),
  msg: text,
  next: z.array(text).max(8),
})

/** Frames a daemon accepts. */
export const clientFrameSchema = z.discriminatedUnion('t', [
  hello,
  subscribe,
  credit,
  pace,
  unsubscribe,
  read,
  tally,
  fetch,
  command,
  ping,
  pong,
])
/** Frames a console accepts. */
export const daemonFrameSchema = z.union([
  z.discriminatedUnion('t', [status, welcome, gap, end, progress, tallied, picture, done, error, ping, pong]),
  rows,
])

export type ClientFrame = z.infer<typeof clientFrameSchema>
export type DaemonFrame = z.infer<typeof daemonFrameSchema>
export type StatusFrame = z.infer<typeof status>
export type WelcomeFrame = z.infer<typeof welcome>
export type RowsFrame = z.infer<typeof rows>
export type CommandFrame = z.infer<typeof command>
export type GapFrame = z.infer<typeof gap>
export type FrameOf<F extends { t: string }, T extends F['t']> = Extract<F, { t: T }>

/** Outcome of decoding bytes from outside. */
export type Decoded<T> = { ok: true; frame: T } | { ok: false; code: 'FRAME_INVALID' | 'FRAME_TOO_LARGE'; msg: string }

/** Decode one frame from a console. Never throws. */
export function decodeClientFrame(data: string): Decoded<ClientFrame> {
  return decode(clientFrameSchema, data, CLIENT_FRAME_SHAPE)
}

/** Decode one frame from a daemon. Never throws. */
export function decodeDaemonFrame(data: string): Decoded<DaemonFrame> {
  return decode<DaemonFrame>(daemonFrameSchema, data, DAEMON_FRAME_SHAPE, isLogRowsFrame)
}

/** What `isSound` says yes to is as the schema wants it. */
function decode<T>(
  schema: z.ZodType<T>,
  data: string,
  shape: JsonShape,
  isSound?: (value: unknown) => value is T & object,
): Decoded<T> {
  if (data.length > MAX_FRAME_BYTES) {
    return {
      ok: false,
      code: 'FRAME_TOO_LARGE',
      msg: `a frame of ${data.length} characters is over ${MAX_FRAME_BYTES}`,
    }
  }
  const read = readJson(data, shape)
  if (!read.ok) return { ok: false, code: 'FRAME_INVALID', msg: read.msg }
  if (isSound?.(read.value)) return { ok: true, frame: read.value }
  const parsed = schema.safeParse(read.value)
  if (parsed.success) return { ok: true, frame: parsed.data }
  const issue = parsed.error.issues[0]
  return {
    ok: false,
    code: 'FRAME_INVALID',
    // The path may hold keys that the other end chose.
    msg: `${issue?.path.join('.').slice(0, 200) || 'frame'}: ${(issue?.message ?? 'not of the protocol').slice(0, 200)}`,
  }
}
