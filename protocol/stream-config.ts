import { streamSubjects } from './subjects.ts'

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
}

/** @see StreamWishes — a week, 10 GB, all sites, one copy. */
export const STREAM_PRESET: StreamWishes = {
  name: 'EDGE',
  sites: [],
  maxBytes: 10e9,
  maxAgeMs: 7 * 86_400_000,
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
  readonly num_replicas: number
  readonly allow_direct: boolean
  readonly allow_atomic: boolean
  readonly allow_msg_ttl: boolean
  readonly allow_rollup_hdrs: boolean
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
  const { name, sites, maxBytes, maxAgeMs, replicas } = { ...STREAM_PRESET, ...wishes }
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
    allow_atomic: true,
    allow_msg_ttl: true,
    allow_rollup_hdrs: true,
    metadata: { [ENCODINGS_KEY]: 'gzip,zstd' },
  }
}
