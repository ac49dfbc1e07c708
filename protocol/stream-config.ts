import { bucketStream, bucketSubjects, PACKAGE_BUCKET } from './object-store.ts'
import { LEASE_SUBJECTS, ROLLOUT_SUBJECTS } from './rollout-subjects.ts'
import { auditSubjects, operatorAuditSubject, streamSubjects } from './subjects.ts'

/** What an operator decides about the stream that holds the blocks of a fleet. */
export interface StreamWishes {
  readonly name: string
  /** Sites whose blocks it holds; empty for all. */
  readonly sites: readonly string[]
  /** Most bytes it keeps; when it is full it refuses, and the nodes keep. */
  readonly maxBytes: number
  /** How long it keeps a block, ms; 0 for as long as there is room. */
  readonly maxAgeMs: number
  /** Copies in a cluster, 1 to 5. */
  readonly replicas: number
  /**
   * Whether whoever writes is trusted with all of it. Marks need headers by which any writer could empty the stream
   * (`Nats-Rollup: all`), so where a node may be stolen there are none.
   */
  readonly trustsNodes: boolean
}

/** @see StreamWishes — a week, 10 GB, all sites, one copy. */
export const STREAM_PRESET: StreamWishes = {
  name: 'EDGE',
  sites: [],
  maxBytes: 10e9,
  maxAgeMs: 7 * 86_400_000,
  replicas: 1,
  trustsNodes: true,
}

/** Name of the stream that holds what people did: the same for every fleet, so that nobody has to be told. */
export const AUDIT_STREAM = 'AUDIT'

/** Name of the stream that holds the journals of rollouts, a subject each. */
export const ROLLOUT_STREAM = 'ROLLOUT'
/** Name of the stream that says who drives which rollout, for as long as they say so again and again. */
export const LEASE_STREAM = 'ROLLOUT_LEASE'
/** How long a lease is held without a word, ms: messages of {@link LEASE_STREAM} live as long. */
export const LEASE_MS = 15_000

/** @see StreamWishes — of the stream of journals: 1 GB, for a year, one copy. */
export const ROLLOUT_PRESET: Omit<StreamWishes, 'name' | 'trustsNodes' | 'sites'> = {
  maxBytes: 1e9,
  maxAgeMs: 365 * 86_400_000,
  replicas: 1,
}

/** @see StreamWishes — of the audit records: 10 GB, for as long as there is room, all sites, one copy. */
export const AUDIT_PRESET: Omit<StreamWishes, 'name' | 'trustsNodes'> = {
  sites: [],
  maxBytes: 10e9,
  maxAgeMs: 0,
  replicas: 1,
}

/** A stream's configuration as the JetStream API has it (`io.nats.jetstream.api.v1.stream_configuration`), in part. */
export interface StreamConfiguration {
  readonly name: string
  readonly subjects: readonly string[]
  readonly retention: 'limits'
  readonly storage: 'file'
  readonly discard: 'new'
  readonly max_bytes: number
  /** Nanoseconds. */
  readonly max_age: number
  /** Nanoseconds; no message id is used, but it may not be longer than `max_age`. */
  readonly duplicate_window?: number
  /** What is written to a subject takes the place of what was there. */
  readonly max_msgs_per_subject?: number
  readonly num_replicas: number
  readonly allow_direct: boolean
  readonly allow_atomic: boolean
  readonly allow_msg_ttl: boolean
  readonly allow_rollup_hdrs: boolean
  /** Nobody may delete a message; once set, a server lets nobody take it back. */
  readonly deny_delete?: boolean
  /** Nobody may purge; as `deny_delete`. */
  readonly deny_purge?: boolean
  readonly metadata: Readonly<Record<string, string>>
}

/** Metadata key of a stream: the encodings that its readers take, separated by commas. */
export const ENCODINGS_KEY = 'edge_encodings'
const NS_PER_MS = 1e6
/** A server's own duplicate window. */
const USUAL_WINDOW_MS = 120_000

/**
 * The configuration that delivery relies on: a full stream refuses instead of dropping (`discard: new`), a block and its
 * mark are stored together (`allow_atomic`), the mark outlives it (`allow_msg_ttl`, `allow_rollup_hdrs`), a node may look
 * at its own last block and at nothing else (`allow_direct`). Subjects are those of blocks and marks, never `edge.>`.
 */
export function streamConfiguration(wishes: Partial<StreamWishes> = {}): StreamConfiguration {
  const { name, sites, maxBytes, maxAgeMs, replicas, trustsNodes } = { ...STREAM_PRESET, ...wishes }
  return {
    name,
    subjects: sites.length === 0 ? streamSubjects() : sites.flatMap((site) => streamSubjects(site)),
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    max_bytes: maxBytes,
    max_age: maxAgeMs * NS_PER_MS,
    ...(maxAgeMs > 0 && maxAgeMs < USUAL_WINDOW_MS ? { duplicate_window: maxAgeMs * NS_PER_MS } : {}),
    num_replicas: replicas,
    allow_direct: true,
    allow_atomic: trustsNodes,
    allow_msg_ttl: trustsNodes,
    allow_rollup_hdrs: trustsNodes,
    metadata: { [ENCODINGS_KEY]: 'gzip,zstd' },
  }
}

/**
 * The configuration of the stream of audit records: what came stays until its age or its room is over, whoever wrote it.
 * Nothing is deleted, purged or rolled up, no message has a life of its own, and a full stream refuses. It keeps no marks:
 * by itself it loses only what is over its age, and blocks are guarded by the position of the one before.
 */
export function auditConfiguration(wishes: Partial<StreamWishes> = {}): StreamConfiguration {
  const { sites, maxBytes, maxAgeMs, replicas } = { ...AUDIT_PRESET, ...wishes }
  return {
    ...streamConfiguration({ name: AUDIT_STREAM, sites, maxBytes, maxAgeMs, replicas }),
    subjects: [
      ...(sites.length === 0 ? ['*'] : sites).flatMap((site) => auditSubjects(site)),
      operatorAuditSubject('*'),
    ],
    allow_atomic: false,
    allow_msg_ttl: false,
    allow_rollup_hdrs: false,
    deny_delete: true,
    deny_purge: true,
  }
}

/**
 * The configuration of the stream of journals: entries stay for a year whoever wrote them, nothing is deleted, purged or
 * rolled up, and each names the one that must be last on its subject. It is the fleet's, not a site's.
 */
export function rolloutConfiguration(wishes: Partial<StreamWishes> = {}): StreamConfiguration {
  const { maxBytes, maxAgeMs, replicas } = { ...ROLLOUT_PRESET, ...wishes }
  return {
    ...streamConfiguration({ name: ROLLOUT_STREAM, maxBytes, maxAgeMs, replicas, trustsNodes: false }),
    subjects: ROLLOUT_SUBJECTS,
    deny_delete: true,
    deny_purge: true,
    metadata: {},
  }
}

/**
 * The configuration of the stream of leases: the last word of who drives a rollout, forgotten by the server itself after
 * {@link LEASE_MS}, so that no clock but its own says when a lease is over.
 */
export function leaseConfiguration(wishes: Partial<StreamWishes> = {}): StreamConfiguration {
  const { replicas, maxAgeMs = LEASE_MS } = { replicas: 1, ...wishes }
  return {
    ...streamConfiguration({ name: LEASE_STREAM, maxBytes: LEASE_BYTES, maxAgeMs, replicas, trustsNodes: false }),
    subjects: LEASE_SUBJECTS,
    max_msgs_per_subject: 1,
    metadata: {},
  }
}

const LEASE_BYTES = 16e6

/** @see StreamWishes — of the bucket of packages: 10 GB, for as long as there is room, one copy. */
export const PACKAGES_PRESET: Pick<StreamWishes, 'maxBytes' | 'maxAgeMs' | 'replicas'> = {
  maxBytes: 10e9,
  maxAgeMs: 0,
  replicas: 1,
}

/**
 * The configuration of the stream behind the bucket of packages (NATS ADR-20). Contents are named by their digests, so
 * nothing is ever written over, and no message of a writer can empty it (`allow_rollup_hdrs`); what is no longer wanted is
 * removed by who keeps the streams.
 */
export function packagesConfiguration(wishes: Partial<StreamWishes> = {}): StreamConfiguration {
  const { maxBytes, maxAgeMs, replicas } = { ...PACKAGES_PRESET, ...wishes }
  const name = bucketStream(PACKAGE_BUCKET)
  return {
    ...streamConfiguration({ name, maxBytes, maxAgeMs, replicas, trustsNodes: false }),
    subjects: bucketSubjects(PACKAGE_BUCKET),
    metadata: {},
  }
}

/** The streams of a fleet by what they hold: the one table that whoever makes, compares or writes them down reads. */
export const STREAMS = {
  blocks: streamConfiguration,
  audit: auditConfiguration,
  rollouts: rolloutConfiguration,
  leases: leaseConfiguration,
  packages: packagesConfiguration,
} as const satisfies Record<string, (wishes?: Partial<StreamWishes>) => StreamConfiguration>
/** @see STREAMS */
export type StreamKind = keyof typeof STREAMS
/** @see STREAMS */
export const STREAM_KINDS = Object.keys(STREAMS) as readonly StreamKind[]
/** What somebody wants of the streams that they say anything of. */
export type WishesByStream = Readonly<Partial<Record<StreamKind, Partial<StreamWishes>>>>

/** Which stream one is by its name; that of blocks alone may have another name than ours. */
export function streamKindOf(name: string): StreamKind {
  return STREAM_KINDS.find((kind) => kind !== 'blocks' && STREAMS[kind]().name === name) ?? 'blocks'
}
