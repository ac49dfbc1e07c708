import type { AuditRecord, OperatorAuditRecord } from '../../protocol/audit.ts'

/** Where a record was read. */
export type AuditSource = 'node' | 'stream' | 'own'

/** A record of a node, and where it was read. */
export interface NodeAudit {
  readonly site: string
  readonly node: string
  readonly source: 'node' | 'stream'
  readonly record: AuditRecord
}

/** A record of an operator's journal, and where it was read. */
export interface OperatorAudit {
  readonly source: 'stream' | 'own'
  readonly record: OperatorAuditRecord
}

/** One thing that somebody did or tried: its records from everywhere put together. */
export interface AuditEvent {
  /** Unix ms: when it was wanted, by the clock of whoever wrote it first. */
  readonly at: number
  readonly who: string
  readonly kind: string
  readonly role: string | null
  /** Whose session carried it, when it is not who wanted it. */
  readonly carrier: string | null
  /** `site/node`, or the operator's own word where only their journal tells; null for what goes to no node. */
  readonly node: string | null
  readonly verb: string
  readonly args: Readonly<Record<string, unknown>> | null
  /**
   * `OK` or an error code; `opened` and `closed` of sessions; `NO_OUTCOME` for what was begun and of which nobody wrote
   * the end, `NOT_RECORDED` for what a console sent and no node wrote down.
   */
  readonly result: string
  readonly msg: string | null
  readonly durationMs: number | null
  readonly why: string | null
  readonly route: string | null
  readonly address: string | null
  readonly nonce: string | null
  /** How many alike. */
  readonly count: number
  readonly sources: readonly AuditSource[]
}

/** An event while its records come together. */
interface Gathered {
  event: AuditEvent
  readonly sources: Set<AuditSource>
  /** Digest of the arguments, for what has no nonce. */
  readonly digest: string | null
}

/** How far apart the clocks of console and node may be for what has no nonce to be one event, ms. */
const UNSIGNED_WINDOW_MS = 120_000

/**
 * Put together what nodes, stream and journals tell: the intent and the outcome of a command, the same record from two
 * places, and a command at both its ends. By time, the oldest first. Whatever is told twice comes out once.
 */
export function eventsOf(nodes: readonly NodeAudit[], operators: readonly OperatorAudit[]): AuditEvent[] {
  const gathered = eventsOfNodes(nodes)
  joinOperators(gathered, operators)
  return gathered
    .map(({ event, sources }) => ({ ...event, sources: [...sources].sort() }))
    .sort((a, b) => a.at - b.at || a.verb.localeCompare(b.verb))
}

function eventsOfNodes(nodes: readonly NodeAudit[]): Gathered[] {
  const byHash = new Map<string, { readonly audit: NodeAudit; readonly sources: Set<AuditSource> }>()
  for (const audit of nodes) {
    const key = `${audit.site}/${audit.node} ${audit.record.chain.hash}`
    const found = byHash.get(key)
    if (found === undefined) byHash.set(key, { audit, sources: new Set([audit.source]) })
    else found.sources.add(audit.source)
  }
  const records = [...byHash.values()].sort((a, b) => a.audit.record.chain.n - b.audit.record.chain.n)
  const gathered: Gathered[] = []
  const begun = new Map<string, Gathered>()
  for (const { audit, sources } of records) {
    const { site, node, record } = audit
    const intent = record.phase === 'outcome' ? begun.get(`${site}/${node} ${record.of}`) : undefined
    if (intent !== undefined && intent.event.verb === record.verb) {
      const { code = 'OK', msg = null, duration_ms: durationMs = null } = record
      intent.event = { ...intent.event, result: code, msg, durationMs }
      for (const source of sources) intent.sources.add(source)
      continue
    }
    const fresh = { event: eventOf(audit), sources, digest: record.args_digest ?? null }
    if (record.phase === 'intent') begun.set(`${site}/${node} ${record.chain.n}`, fresh)
    gathered.push(fresh)
  }
  return gathered
}

function eventOf({ site, node, record }: NodeAudit): AuditEvent {
  const { timestamp, phase, verb, who, carrier, args, code, msg, duration_ms, why, route, address, nonce, count } =
    record
  const isSession = phase === 'opened' || phase === 'closed'
  return {
    at: timestamp,
    who: who.name,
    kind: who.kind,
    role: who.role,
    carrier: carrier?.name ?? null,
    node: `${site}/${node}`,
    verb,
    args: args ?? null,
    result: isSession ? phase : (code ?? (phase === 'intent' ? 'NO_OUTCOME' : 'OK')),
    msg: msg ?? null,
    durationMs: duration_ms ?? null,
    why: why ?? null,
    route,
    address,
    nonce: nonce ?? null,
    count: count ?? 1,
    sources: [],
  }
}

/** Add what operators wrote down: to the event that a node tells of, or as one of its own. */
function joinOperators(gathered: Gathered[], operators: readonly OperatorAudit[]): void {
  const byNonce = new Map<string, Gathered>()
  for (const its of gathered) if (its.event.nonce !== null) byNonce.set(its.event.nonce, its)
  const known = new Set<string>()
  const begun = new Map<string, Gathered>()
  const taken = new Set<Gathered>()
  const sorted = [...operators].sort((a, b) => a.record.chain.n - b.record.chain.n)
  for (const { source, record } of sorted) {
    const { journal, chain, of, nonce } = record
    const intentKey = `${journal} ${record.phase === 'intent' ? chain.n : of}`
    const intent = begun.get(intentKey)
    const isNew = !known.has(chain.hash)
    known.add(chain.hash)
    if (intent !== undefined) {
      intent.sources.add(source)
      if (isNew && record.phase === 'outcome') intent.event = withAnswer(intent.event, record)
      continue
    }
    const told = (nonce === undefined ? undefined : byNonce.get(nonce)) ?? unsigned(gathered, taken, record)
    const its = told ?? { event: ownEvent(record), sources: new Set(), digest: record.args_digest ?? null }
    if (told === undefined) gathered.push(its)
    taken.add(its)
    its.sources.add(source)
    if (told !== undefined && its.event.why === null) its.event = { ...its.event, why: record.why ?? null }
    begun.set(intentKey, its)
  }
}

/** The event of a node for a command that nobody signed: same verb and arguments, about then, and nobody else's. */
function unsigned(
  gathered: readonly Gathered[],
  taken: ReadonlySet<Gathered>,
  record: OperatorAuditRecord,
): Gathered | undefined {
  if (record.nonce !== undefined || record.args_digest === undefined) return undefined
  return gathered.find(
    (its) =>
      !taken.has(its) &&
      its.event.kind === 'local' &&
      its.event.verb === record.verb &&
      its.digest === record.args_digest &&
      Math.abs(its.event.at - record.timestamp) <= UNSIGNED_WINDOW_MS,
  )
}

/** What the console was answered, where the node itself tells no outcome. */
function withAnswer(event: AuditEvent, { code = 'OK', msg, duration_ms, args }: OperatorAuditRecord): AuditEvent {
  if (isOwnAct(event.verb)) return ownOutcome(event, code, { msg, duration_ms, args })
  if (event.result !== 'NOT_RECORDED' && event.result !== 'NO_OUTCOME') return event
  const isUnrecorded = event.result === 'NOT_RECORDED' && code === 'OK'
  return {
    ...event,
    result: isUnrecorded ? event.result : code,
    msg: isUnrecorded ? 'the console was told that it is done' : (msg ?? event.msg),
    durationMs: event.durationMs ?? duration_ms ?? null,
  }
}

/** What consoles do by themselves, over SSH or in pods: no node is asked, so the operator's journal is the record of it. */
const OWN_ACTS: readonly string[] = ['shell', 'exec']

function isOwnAct(verb: string): boolean {
  return OWN_ACTS.includes(verb)
}

function ownOutcome(
  event: AuditEvent,
  result: string,
  { msg, duration_ms, args }: Pick<OperatorAuditRecord, 'msg' | 'duration_ms' | 'args'>,
): AuditEvent {
  const known = args === undefined ? event.args : { ...event.args, ...args }
  return { ...event, result, msg: msg ?? null, durationMs: duration_ms ?? null, args: known }
}

function ownEvent(record: OperatorAuditRecord): AuditEvent {
  const { timestamp, operator, host, node, verb, args, phase, code, msg, duration_ms, why, nonce } = record
  const named = node?.name === undefined ? node?.key : `${node.site ?? '?'}/${node.name}`
  return {
    at: timestamp,
    who: operator,
    kind: 'operator',
    role: null,
    carrier: null,
    node: named ?? null,
    verb,
    args: args ?? null,
    result: phase === 'intent' ? (isOwnAct(verb) ? 'NO_OUTCOME' : 'NOT_RECORDED') : (code ?? 'OK'),
    msg: msg ?? null,
    durationMs: duration_ms ?? null,
    why: why ?? null,
    route: null,
    address: host,
    nonce: nonce ?? null,
    count: 1,
    sources: [],
  }
}
