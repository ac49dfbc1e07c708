import { z } from 'zod'
import { fewOf, unixMs } from './bounds.ts'
import { statusChanges } from './change.ts'
import { alertRecordSchema, histogramSchema, severitySchema } from './records.ts'
import { ROLES } from './rights.ts'

/** Unix ms. */
export const at = unixMs
export const count = z.int().nonnegative()
export const bytes = z.int().nonnegative()
/** Text for people, as long as it may be in a frame. */
export const text = z.string().max(16_384)

const condition = z.object({ code: z.string().max(64), severity: severitySchema, msg: text, since: at })
/** Something that is not as it should be on a node. */
export type Condition = z.infer<typeof condition>

const host = z.object({
  source: z.enum(['builtin', 'node-exporter']),
  /** 0..100 of all cores; null until two samples exist. */
  cpuPct: z.number().min(0).nullable(),
  cores: count,
  load1: z.number().nonnegative().nullable(),
  memUsedBytes: bytes.nullable(),
  memTotalBytes: bytes.nullable(),
  /** Of the file system that holds the state directory. */
  diskUsedBytes: bytes.nullable(),
  diskTotalBytes: bytes.nullable(),
  netRxBytesPerSec: z.number().nonnegative().nullable(),
  netTxBytesPerSec: z.number().nonnegative().nullable(),
  tempC: z.number().nullable(),
})
/** One sample of the host. */
export type HostSample = z.infer<typeof host>

const stages = z.object({
  decode: histogramSchema,
  queue: histogramSchema,
  run: histogramSchema,
  commit: histogramSchema,
  total: histogramSchema,
})
/** Latency by stage, see `inference/meters.ts`. */
export type StageHistograms = z.infer<typeof stages>

const inference = z.object({
  model: z.object({ name: z.string().max(128), version: z.string().max(64), variant: z.string().max(64) }).nullable(),
  /** Process id of the model child and how many there have been. */
  childPid: count.nullable(),
  generation: count,
  queued: count,
  inFlight: count,
  counters: z.object({
    /** Answers by kind; `requests` is their sum. */
    requests: count,
    ok: count,
    abnormal: count,
    undecodable: count,
    failed: count,
    malformed: count,
    notStored: count,
    overRate: count,
    childRestarts: count,
    /** Answers whose record went to the store and that took longer than `alerts.latency`. */
    slow: count.default(0),
    /** Bytes of request bodies from devices. */
    rawBytes: bytes,
  }),
  windowMs: count,
  latency: stages,
})

const uplinkTarget = z.object({
  name: z.string().max(64),
  kind: z.enum(['nats', 'http']),
  state: z.enum(['connecting', 'up', 'down']),
  since: at,
  backlogRecords: count,
  backlogBytes: bytes,
  /** Timestamp of the oldest record that waits. */
  oldestAt: at.nullable(),
  /** Highest sequence that the target has acknowledged, of any class. */
  ackedSeq: count,
  rttMs: z.number().nonnegative().nullable(),
  error: text.nullable(),
  /** Region that the target is in; the target's name where nobody named one. */
  region: z.string().max(253).optional(),
  /** By class of which there is any, the last sequence at each level: committed on the node, held by the receiver, surely synced there. */
  levels: fewOf(z.object({ committed: count, held: count, synced: count }), { most: 32 }).optional(),
  /** Seconds until the backlog is drained at the rate of the last minute; null when nothing waits or nothing moves. */
  drainSec: z.number().nonnegative().nullable().optional(),
  /** Time from a record's timestamp until the target held it, over the last minute. */
  transfer: histogramSchema.optional(),
  /** What the receiver makes possible: one that does not compare before it stores may be sent a block twice. */
  guarantee: z.enum(['exactly_once', 'at_least_once']).optional(),
  /** Blocks that were sent flagged as maybe held already, since the start. */
  maybeDuplicates: count.optional(),
})
/** One uplink target as the console sees it. */
export type UplinkTargetStatus = z.infer<typeof uplinkTarget>

const store = z.object({
  state: z.enum(['ok', 'failing']),
  epoch: z.string().max(64),
  firstSeq: count,
  lastSeq: count,
  records: count,
  bytes,
  maxBytes: bytes,
  segments: count,
  commits: count,
  evictedRecords: count,
  corruptBlocks: count,
  error: text.nullable(),
  /** `sync` when an acknowledgement means that the disk has it, `async` when it does not. */
  durability: z.enum(['sync', 'async']).optional(),
  /**
   * Keys of the ring and the one that seals now, by its number; null when the store is not encrypted. `missingKeys` are
   * sealed blocks that wait for a key which is not in the ring, `lostKeys` those whose key is gone for good by the key
   * file, `plainBlocks` those that were written before it was encrypted.
   */
  encryption: z
    .object({
      keyId: count,
      keys: count,
      missingKeys: count,
      lostKeys: count.optional(),
      plainBlocks: count.optional(),
    })
    .nullable()
    .optional(),
  /** Whether the room is set aside that eviction needs on a full disk. */
  reserve: z.enum(['kept', 'spent']).optional(),
  /** Records that were not kept since the start. */
  notStored: count.optional(),
  /** What is kept by class of which anything is or was kept, and the limits in force. */
  byClass: fewOf(
    z.object({
      records: count,
      bytes,
      oldestAt: at.nullable(),
      maxBytes: bytes.nullable(),
      maxAgeMs: count.nullable(),
      evicted: count,
    }),
    { most: 32 },
  ).optional(),
})
/** The store as the console sees it. */
export type StoreStatus = z.infer<typeof store>

const activeAlert = alertRecordSchema.omit({ seq: true, node_id: true, timestamp: true, state: true })
/** An alert that fires now. */
export type ActiveAlert = z.infer<typeof activeAlert>

const sessionFact = z.object({
  /** The session's own name on this node since its start; a status says in `session.key` which one it is sent to. */
  key: count,
  who: z.string().max(64),
  kind: z.enum(['local', 'operator', 'controller', 'service']),
  role: z.enum(ROLES),
  route: z.enum(['direct', 'nats']),
  since: at,
  /** The last command of it that changed something; `by` when it was handed on for somebody else. */
  last: z.object({ verb: z.string().max(64), at, by: z.string().max(64).optional() }).optional(),
  /** Shells on this node, over SSH or in pods, that its operator's consoles tell of. */
  shells: z.object({ open: z.int().positive(), since: at }).optional(),
  /** When it ended; who had changed something is named for some minutes more. */
  left: at.optional(),
})
/** Somebody who is connected to a node. */
export type SessionFact = z.infer<typeof sessionFact>

/** Who acts on a node, in live frames only: not there where it is just the one that reads it. */
export const statusSessions = {
  sessions: z.array(sessionFact).max(32).optional(),
  /** Sessions beyond those. */
  moreSessions: count.optional(),
}

/** What a node is at one moment: the body of a status frame and of a kept sample. */
export const statusBody = {
  conditions: z.array(condition).max(64),
  host,
  inference,
  uplink: z.object({
    targets: z.array(uplinkTarget).max(16),
    /** Cumulative bytes written to upstream sockets, by class; `telemetry` is live sessions, `control` is what the wire needs besides. */
    sentBytes: fewOf(bytes, { most: 32 }),
    /** Records not yet held by every target. */
    backlogRecords: count,
    /** Cap on what leaves for upstream and consoles together, bytes a second; null for none. */
    capBytesPerSec: z.number().positive().nullable().optional(),
  }),
  store,
  alerts: z.array(activeAlert).max(64),
  /** Changes of models and configuration. */
  changes: statusChanges.optional(),
  /** Declared faults in force; empty on an honest node. */
  faults: fewOf(z.number(), { most: 16 }),
}

/**
 * What a node keeps of its own state: one status over `window_ms`, with counters as they stood at `timestamp` and
 * histograms of the window. Class `sample` for 1 s windows, `minute` for 1 min.
 */
export const sampleRecordSchema = z.object({
  seq: count,
  node_id: z.string().min(1).max(253),
  timestamp: at,
  /** Changes with every start of the daemon, as in `welcome`: counters begin again at 0. */
  instance: z.string().max(64),
  window_ms: count,
  status: z.object(statusBody),
})
/** @see sampleRecordSchema */
export type SampleRecord = z.infer<typeof sampleRecordSchema>
