import type { z } from 'zod'
import { auditRecordSchema } from '../../protocol/audit.ts'
import {
  alertRecordSchema,
  ledgerRecordSchema,
  logRecordSchema,
  metricRecordSchema,
  resultRecordSchema,
  statRecordSchema,
} from '../../protocol/records.ts'
import { sampleRecordSchema } from '../../protocol/status.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type {
  HistoryKind,
  HistoryOutcome,
  HistoryRange,
  HistoryReach,
  HistoryRows,
  HistorySink,
  HistorySource,
} from '../link/history-source.ts'
import type { RequestFailure } from '../link/link.ts'
import { type CloudRange, readClouds } from './cloud-range.ts'
import type { ChainGap, MergedRecord } from './merge.ts'
import { RegionRests } from './region-rests.ts'

/** How a node calls itself; the site is null where only the cloud may know it. */
export interface NodeIdentity {
  readonly node: string
  readonly site: string | null
}

/** What a {@link CloudHistorySource} reads from. */
export interface CloudHistoryOptions {
  readonly clouds: readonly CloudAddress[]
  /** Who a node of the operator's list is in the cloud. */
  readonly identify: (nodeKey: string) => NodeIdentity
  readonly timeoutMs?: number
  /** How far clocks may be apart, ms; see `StreamQuery`. */
  readonly marginMs?: number
}

/** Classes that a kind is made of. Some of them are in the cloud only after a resend. */
export const CLASSES_OF: Readonly<Record<HistoryKind, readonly RecordClass[]>> = {
  results: ['abnormal', 'normal'],
  alerts: ['alert'],
  logs: ['error', 'log'],
  ledger: ['ledger'],
  stats: ['stat'],
  metrics: ['metric'],
  audit: ['audit'],
  status: ['sample', 'minute'],
}

/** What a record of each kind must be. */
export const HISTORY_SCHEMAS = {
  results: resultRecordSchema,
  alerts: alertRecordSchema,
  logs: logRecordSchema,
  ledger: ledgerRecordSchema,
  stats: statRecordSchema,
  metrics: metricRecordSchema,
  audit: auditRecordSchema,
  status: sampleRecordSchema,
} as const satisfies Record<HistoryKind, z.ZodType>

/** How long a region that did not answer is not asked again: whoever reads page by page waits for it once. */
const REST_MS = 15_000
/** Rows that are handed on at a time. */
const PAGE_ROWS = 500

/** The past of nodes as the regions of the cloud hold it together: also of a node that is dead, and what it has evicted. */
export class CloudHistorySource implements HistorySource {
  readonly name = 'cloud'
  readonly #options: CloudHistoryOptions
  readonly #rests = new RegionRests(REST_MS)

  constructor(options: CloudHistoryOptions) {
    this.#options = options
  }

  async read(nodeKey: string, range: HistoryRange, sink: HistorySink, signal: AbortSignal): Promise<HistoryOutcome> {
    const { clouds, identify, timeoutMs, marginMs } = this.#options
    if (clouds.length === 0) return failure('CLOUD_UNREACHABLE', 'no region of the cloud is known')
    const { fromMs, toMs, kinds, limitPerKind = Number.POSITIVE_INFINITY } = range
    const { node, site } = identify(nodeKey)
    // The ledger explains what is missing of any kind.
    const classes = [...new Set([...kinds.flatMap((kind) => CLASSES_OF[kind]), 'ledger' as const])]
    const query = { node, site, classes, fromMs, toMs, ...(marginMs === undefined ? {} : { marginMs }) }
    const { awake, resting } = this.#rests.split(clouds)
    const found = await readClouds(awake, query, signal, timeoutMs === undefined ? {} : { timeoutMs })
    if (signal.aborted) return failure('CANCELLED', 'the reader went away')
    const dead = [...resting, ...this.#rests.note(found.regions)]
    const [first] = dead
    if (first !== undefined && dead.length === clouds.length) {
      return failure('CLOUD_UNREACHABLE', first.error.message, first.error.next)
    }
    const sites = [...new Set(found.records.map((record) => record.site))].sort()
    if (sites.length > 1) {
      return failure('USAGE', `${sites.length} sites have a node called ${node}: ${sites.join(', ')}`, [
        `say which: ${sites.map((one) => `${one}/${node}`).join(' or ')}`,
      ])
    }
    let truncated = false
    for (const kind of kinds) {
      for (const { name } of dead) {
        sink.gap({ kind, missed: null, reason: `${name} does not answer`, fromMs, toMs })
      }
      truncated = (await give(kind, found, { range, limit: limitPerKind, sink })) || truncated
    }
    return { ok: true, truncated }
  }

  /** The stream's own bounds would say little of one node; reading is what tells. */
  reach(): Promise<HistoryReach | null> {
    return Promise.resolve(null)
  }
}

/** Hand a kind over, page by page. Resolves with whether the limit cut it. */
async function give(
  kind: HistoryKind,
  found: CloudRange,
  { range, limit, sink }: { readonly range: HistoryRange; readonly limit: number; readonly sink: HistorySink },
): Promise<boolean> {
  const { fromMs, toMs } = range
  for (const region of found.regions) {
    if (region.unreadable > 0) {
      sink.gap({
        kind,
        missed: null,
        reason: `${region.unreadable} unreadable messages in ${region.name}`,
        fromMs,
        toMs,
      })
    }
  }
  if (found.truncated) sink.gap({ kind, missed: null, reason: 'too_large', fromMs, toMs })
  const classes = CLASSES_OF[kind]
  const gaps = found.gaps.filter(({ recordClass }) => classes.includes(recordClass))
  const conflicts = found.conflicts.filter(({ recordClass }) => classes.includes(recordClass))
  const records = found.records.filter(({ recordClass }) => classes.includes(recordClass))
  for (const gap of gaps) sink.gap({ kind, missed: null, reason: reasonOf(gap), ...within(gap, range) })
  for (const conflict of conflicts) {
    const { timestamp = fromMs } =
      records.find(({ seq, epoch }) => seq === conflict.seq && epoch === conflict.epoch) ?? {}
    sink.gap({ kind, missed: 1, reason: 'conflict', fromMs: timestamp, toMs: timestamp })
  }
  const wanted = records.slice(0, limit)
  for (const page of pagesOf(wanted)) {
    const epoch = page[0]?.epoch ?? null
    const rows = page.flatMap((record) => {
      const parsed = HISTORY_SCHEMAS[kind].safeParse(JSON.parse(record.line))
      if (parsed.success) return [parsed.data]
      sink.gap({ kind, missed: 1, reason: 'unreadable', fromMs: record.timestamp, toMs: record.timestamp })
      return []
    })
    // The kind and its rows belong together, which the union of all kinds cannot say.
    if (rows.length > 0) await sink.rows({ kind, epoch, rows } as HistoryRows)
  }
  return wanted.length < records.length
}

/** Runs of records of one epoch, at most {@link PAGE_ROWS} each. */
function* pagesOf(records: readonly MergedRecord[]): Generator<readonly MergedRecord[]> {
  let page: MergedRecord[] = []
  for (const record of records) {
    if (page.length === PAGE_ROWS || (page[0] !== undefined && page[0].epoch !== record.epoch)) {
      yield page
      page = []
    }
    page.push(record)
  }
  if (page.length > 0) yield page
}

function reasonOf({ explainedBy }: ChainGap): string {
  return explainedBy?.event ?? 'missing'
}

function within(gap: ChainGap, range: HistoryRange): { fromMs: number; toMs: number } {
  return { fromMs: Math.max(gap.fromMs, range.fromMs), toMs: Math.min(gap.toMs, range.toMs) }
}

function failure(code: string, message: string, next: readonly string[] = []): RequestFailure {
  return { ok: false, code, message, next }
}
