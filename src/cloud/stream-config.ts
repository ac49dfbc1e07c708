import {
  AUDIT_STREAM,
  LEASE_STREAM,
  ROLLOUT_STREAM,
  STREAMS,
  type StreamConfiguration,
  type StreamKind,
  type StreamWishes,
} from '../../protocol/stream-config.ts'

/** A stream's configuration as a server gives it: ours, and whatever else it has. */
export type ServerConfiguration = Readonly<Record<string, unknown>> & { readonly name: string }

/** One setting that differs. */
export interface StreamChange {
  readonly setting: string
  readonly from: unknown
  readonly to: unknown
  /** Why it cannot be changed on a stream that is there; null when it can. */
  readonly refused: string | null
}

/** What is to be done to a region's stream. */
export interface StreamPlan {
  readonly action: 'create' | 'update' | 'nothing' | 'refuse'
  readonly changes: readonly StreamChange[]
  /** The whole configuration to send. */
  readonly config: ServerConfiguration
  /** What an operator should know besides. */
  readonly warnings: readonly string[]
}

/** What stays as the server has it when nobody asked for another: room, age and copies are for the operator to say. */
const ONLY_WHEN_ASKED: Readonly<Partial<Record<keyof StreamConfiguration, keyof StreamWishes>>> = {
  max_bytes: 'maxBytes',
  max_age: 'maxAgeMs',
  num_replicas: 'replicas',
}
const NEVER_CHANGES: Readonly<Partial<Record<keyof StreamConfiguration, string>>> = {
  retention: 'what it keeps and why is laid down when a stream is made',
  storage: 'where it keeps is laid down when a stream is made',
}
/** Oldest server with each: before it, the setting is unknown. */
const SINCE: Readonly<Partial<Record<keyof StreamConfiguration, readonly [number, number]>>> = {
  allow_msg_ttl: [2, 11],
  allow_atomic: [2, 12],
}

/**
 * Compare a region's stream with what delivery relies on, and plan how to make it so.
 * @param existing null when there is none
 * @param serverVersion for example `2.15.2`; null when it is not known, then it is taken for new
 * @param kind which of the streams of a fleet it is
 */
export function planStream(
  existing: ServerConfiguration | null,
  wishes: Partial<StreamWishes>,
  serverVersion: string | null = null,
  kind: StreamKind = 'blocks',
): StreamPlan {
  const { wanted, warnings } = takenBy(serverVersion, STREAMS[kind](wishes))
  if (existing === null) return { action: 'create', changes: [], config: { ...wanted }, warnings }
  const changes: StreamChange[] = []
  for (const [setting, to] of Object.entries(withSubjectsOf(existing, wanted))) {
    const key = setting as keyof StreamConfiguration
    const asked = ONLY_WHEN_ASKED[key]
    if (asked !== undefined && wishes[asked] === undefined) continue
    const from = existing[key]
    if (isSame(from, to)) continue
    changes.push({ setting, from: from ?? null, to, refused: NEVER_CHANGES[key] ?? null })
  }
  const config = { ...existing, ...Object.fromEntries(changes.map(({ setting, to }) => [setting, to])) }
  const action =
    changes.length === 0 ? 'nothing' : changes.some(({ refused }) => refused !== null) ? 'refuse' : 'update'
  return { action, changes, config, warnings }
}

/** Leave out what an older server does not know. */
function takenBy(version: string | null, config: StreamConfiguration) {
  const [major = 99, minor = 0] = (version ?? '99.0').split('.').map(Number)
  const unknown = Object.entries(SINCE)
    .filter(([setting]) => config[setting as keyof StreamConfiguration] === true)
    .filter(([, [sinceMajor, sinceMinor]]) => major < sinceMajor || (major === sinceMajor && minor < sinceMinor))
    .map(([setting]) => setting)
  const wanted: Partial<StreamConfiguration> & { name: string } = Object.fromEntries(
    Object.entries(config).filter(([setting]) => !unknown.includes(setting)),
  ) as Partial<StreamConfiguration> & { name: string }
  const warnings =
    unknown.length === 0
      ? []
      : [
          `nats-server ${version} knows no ${unknown.join(' and no ')}: blocks that may have arrived and expired in a long outage are flagged instead of known; use 2.12 or newer`,
        ]
  return { wanted, warnings }
}

/** Its other subjects stay, but for those that would answer for a node; metadata of others too. */
function withSubjectsOf(existing: ServerConfiguration, wanted: Partial<StreamConfiguration>): object {
  const had = Array.isArray(existing.subjects) ? existing.subjects.filter((its) => typeof its === 'string') : []
  const ours = wanted.subjects ?? []
  const others = had.filter(
    (subject) => !ours.includes(subject) && !isTaken(subject, wanted.name ?? '') && !overlaps(subject, ours),
  )
  const metadata = { ...(existing.metadata as object | undefined), ...wanted.metadata }
  return {
    ...wanted,
    subjects: isSame([...had].sort(), [...ours, ...others].sort()) ? had : [...ours, ...others],
    metadata,
  }
}

/** Whether a subject would hold requests to nodes or their heartbeats, and answer them, or what only the audit or rollouts may hold. */
function isTaken(subject: string, stream: string): boolean {
  const taken = ['edge.site.node.rpc', 'edge.site.node.status']
  const audited = ['edge.site.node.audit', 'audit.operator.name']
  const rolled = ['rollout.id', 'rollout-lease.id']
  const others = [...(stream === AUDIT_STREAM ? [] : audited), ...(isOfRollouts(stream) ? [] : rolled)]
  return [...taken, ...others].some((its) => matches(subject, its))
}

function isOfRollouts(stream: string): boolean {
  return stream === ROLLOUT_STREAM || stream === LEASE_STREAM
}

/** A server refuses a stream whose own subjects overlap. */
function overlaps(subject: string, others: readonly string[]): boolean {
  return others.some((other) => matches(other, subject) || matches(subject, other))
}

/** Whether a subject with wildcards takes another (whose own wildcards count as plain words). */
function matches(pattern: string, subject: string): boolean {
  const words = subject.split('.')
  const parts = pattern.split('.')
  for (const [position, part] of parts.entries()) {
    if (part === '>') return words.length > position
    if (position >= words.length || (part !== '*' && part !== words[position])) return false
  }
  return parts.length === words.length
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => isSame(item, b[at]))
  if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null) {
    const [left, right] = [Object.entries(a), new Map(Object.entries(b))]
    return left.length === right.size && left.every(([key, value]) => isSame(value, right.get(key)))
  }
  // What a server leaves out is its zero.
  return (a ?? false) === (b ?? false)
}
