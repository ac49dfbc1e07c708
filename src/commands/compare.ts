import { EdgeError } from '../../protocol/errors.ts'
import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { HISTORY_SCHEMAS, type NodeIdentity } from '../cloud/cloud-history.ts'
import { type CloudRange, readClouds } from '../cloud/cloud-range.ts'
import { type ClassComparison, compareClass, isSound, type KeptRecord } from '../cloud/compare.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeStatus } from '../fleet/clean.ts'
import type { FleetAccess } from '../link/access.ts'
import type { HistoryKind } from '../link/history-source.ts'
import { NodeHistorySource } from '../link/node-history.ts'
import { UNKNOWN } from '../ui/format.ts'
import type { HistoryRecord } from './history-row.ts'
import { identityOf } from './node-identity.ts'
import { type OpenNode, openNode } from './node-session.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck compare` was asked; times are Unix ms on our clock. */
export interface CompareRequest {
  readonly name: string
  readonly node: NodeAddress | null
  readonly clouds: readonly CloudAddress[]
  readonly access: FleetAccess
  readonly fromMs: number
  readonly toMs: number
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** How a comparison ended: everything there exactly once, something wrong, or somebody did not answer. */
export type CompareOutcome = 'sound' | 'faulty' | 'unanswered'

/** The kind that a class is read back as. */
const KIND_OF: Readonly<Record<UpstreamClass, HistoryKind>> = {
  ledger: 'ledger',
  alert: 'alerts',
  error: 'logs',
  abnormal: 'results',
  stat: 'stats',
  metric: 'metrics',
  audit: 'audit',
}
/** Sequences that a table names of a fault. */
const NAMED_SEQS = 5

const COLUMNS: readonly PrintedColumn<ClassComparison>[] = [
  { title: 'CLASS', text: (row) => row.recordClass },
  { title: 'NODE', align: 'right', text: (row) => (row.onNode === null ? UNKNOWN : String(row.onNode)) },
  { title: 'CLOUD', align: 'right', text: (row) => String(row.inCloud) },
  { title: 'WAITING', align: 'right', text: (row) => String(row.waiting) },
  { title: 'CLOUD ONLY', align: 'right', text: (row) => String(row.onlyInCloud) },
  { title: 'MISSING', text: (row) => seqs(row.missing) },
  { title: 'TWICE', text: (row) => seqs(row.twice) },
  { title: 'ALTERED', text: (row) => seqs(row.altered) },
  { title: 'GAPS', text: (row) => row.gaps.map((gap) => `${gap.afterSeq + 1}–${gap.throughSeq}`).join(' ') || '0' },
]

/**
 * Compare what a node keeps with what the regions of the cloud hold together: is every record that goes up there, once,
 * and the same. Of a node that does not answer only the cloud's own chains are looked at.
 * @throws EdgeError `USAGE` when no region is known
 */
export async function runCompare(request: CompareRequest, io: CommandIo): Promise<CompareOutcome> {
  const { name, node: address, clouds, access, timeoutMs, format } = request
  if (clouds.length === 0) {
    throw new EdgeError('USAGE', {
      message: 'no region of the cloud is known',
      next: ['name the cloud: --cloud nats://host:4222, or under clouds in the configuration'],
    })
  }
  const opened = address === null ? null : await openNode(address, { access, timeoutMs, signal: io.signal })
  const node = opened?.ok ? opened.node : null
  try {
    const offsetMs = node?.clockOffsetMs ?? 0
    const range = { fromMs: Math.max(0, request.fromMs + offsetMs), toMs: Math.max(0, request.toMs + offsetMs) }
    // First the node, then its levels, then the cloud: what was acknowledged by then must be found.
    const kept = node === null ? null : await readKept(node, range, io.signal)
    const identity = node?.detail().identity
    const who: NodeIdentity = identity == null ? identityOf(name) : { node: identity.name, site: identity.site }
    const waits = waitingBy(node?.detail().status ?? null)
    const cloud = await readClouds(clouds, { ...who, classes: UPSTREAM_CLASSES, ...range }, io.signal, { timeoutMs })
    const rows = UPSTREAM_CLASSES.map((recordClass) =>
      compareClass(cloud, {
        recordClass,
        kept: kept === null || typeof kept === 'string' ? null : (kept.get(recordClass) ?? []),
        isWaiting: (record) => waits(recordClass, record),
        saidBy: (line) => saidBy(recordClass, line),
      }),
    )
    const problems = [
      ...(opened?.ok === false ? [`${name}: ${opened.reason}`] : []),
      ...(typeof kept === 'string' ? [`${name}: ${kept}`] : []),
      ...problemsOf(cloud),
    ]
    for (const problem of problems) io.stderr.write(`edgedeck: ${untrusted(problem)}\n`)
    io.stdout.write(format === 'table' ? printTable(COLUMNS, rows) : printJson(rows, format))
    // What seems to be missing may be in a region that did not answer, or behind what was taken.
    const complete = !cloud.truncated && cloud.regions.every((region) => region.error === null)
    const faulty = rows.some((row) => !isSound(complete ? row : { ...row, missing: [], gaps: [] }))
    if (faulty || cloud.regions.some((region) => region.unreadable > 0)) return 'faulty'
    return problems.length > 0 ? 'unanswered' : 'sound'
  } finally {
    await node?.stop()
  }
}

/** What the node keeps by class, or why it could not be read. */
async function readKept(
  node: OpenNode,
  range: { readonly fromMs: number; readonly toMs: number },
  signal: AbortSignal,
): Promise<ReadonlyMap<UpstreamClass, KeptRecord[]> | string> {
  const kept = new Map<UpstreamClass, KeptRecord[]>(UPSTREAM_CLASSES.map((recordClass) => [recordClass, []]))
  const outcome = await new NodeHistorySource(() => node.link).read(
    '',
    { ...range, kinds: UPSTREAM_CLASSES.map((recordClass) => KIND_OF[recordClass]) },
    {
      rows: ({ kind, rows }) => {
        for (const record of rows as readonly HistoryRecord[]) {
          const recordClass = classOf(kind, record)
          if (recordClass === null) continue
          const { seq, timestamp } = record
          kept.get(recordClass)?.push({ seq, timestamp, said: JSON.stringify(record) })
        }
      },
      gap: () => undefined,
    },
    signal,
  )
  return outcome.ok ? kept : outcome.message
}

/** The class a record goes up as; null for what stays on the node. */
function classOf(kind: HistoryKind, record: HistoryRecord): UpstreamClass | null {
  const recordClass = UPSTREAM_CLASSES.find((known) => KIND_OF[known] === kind) ?? null
  if (recordClass === 'abnormal') return 'reason' in record && !('over_rate' in record) ? recordClass : null
  if (recordClass === 'error') return 'level' in record && /^(?:error|fatal)$/.test(record.level) ? recordClass : null
  return recordClass
}

function saidBy(recordClass: UpstreamClass, line: string): string | null {
  const parsed = HISTORY_SCHEMAS[KIND_OF[recordClass]].safeParse(JSON.parse(line))
  return parsed.success ? JSON.stringify(parsed.data) : null
}

/** A record waits while no target has acknowledged its class so far; by its age where the node tells no levels. */
function waitingBy(status: NodeStatus | null): (recordClass: UpstreamClass, record: KeptRecord) => boolean {
  const targets = status?.uplink.targets ?? []
  return (recordClass, { seq, timestamp }) =>
    targets.every(({ levels, oldestAt }) => {
      const held = levels === undefined ? undefined : (levels as Levels)[recordClass]?.held
      return held === undefined ? oldestAt !== null && timestamp >= oldestAt : seq > held
    })
}

type Levels = Readonly<Record<string, { readonly held: number } | undefined>>

function problemsOf({ regions, truncated }: CloudRange): string[] {
  return [
    ...regions.flatMap(({ name, error, unreadable, firstUnreadable }) => [
      ...(error === null ? [] : [error.toLine()]),
      ...(unreadable === 0 ? [] : [`${name} holds ${unreadable} messages that are no blocks (${firstUnreadable})`]),
    ]),
    ...(truncated ? ['the cloud holds more than was taken: choose a shorter range'] : []),
  ]
}

function seqs(found: readonly number[]): string {
  if (found.length === 0) return '0'
  const more = found.length > NAMED_SEQS ? ', …' : ''
  return `${found.length} (${found.slice(0, NAMED_SEQS).join(', ')}${more})`
}
