import type { AuditRecord } from '../../protocol/audit.ts'
import { MAX_TIME_MS } from '../../protocol/bounds.ts'
import type { NodeAudit, OperatorAudit } from '../audit/audit-events.ts'
import { journalIdsIn, journalOf, journalsOf } from '../audit/audit-folder.ts'
import type { JournalChains, NodeChains } from '../audit/audit-verdict.ts'
import { thisHost } from '../audit/journal-file.ts'
import { shippedOf } from '../audit/shipped-mark.ts'
import type { RegionAudit } from '../cloud/audit-reader.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeStatus } from '../fleet/clean.ts'
import type { FleetAccess } from '../link/access.ts'
import { NodeHistorySource } from '../link/node-history.ts'
import { openNode } from './node-session.ts'

/** What a node keeps of its audit, or why it could not be read. */
export type KeptAudit =
  | {
      readonly ok: true
      /** The operator's name for it. */
      readonly key: string
      readonly site: string
      readonly node: string
      readonly records: readonly AuditRecord[]
      readonly heldSeq: number | null
    }
  | { readonly ok: false; readonly key: string; readonly reason: string }

/** A journal of this machine as it was read. */
export interface OwnJournal {
  readonly path: string
  readonly operator: string
  /** How far each journal that was ever in the file has been shipped. */
  readonly shipped: ReadonlyMap<string, number>
  readonly records: readonly OperatorAudit['record'][]
  readonly unreadableLines: readonly number[]
}

/** Nodes that are read at a time. */
const AT_A_TIME = 16

/** Read the audit of nodes, from a time on (Unix ms, our clock; 0 for all). Never rejects. */
export async function readNodes(
  nodes: readonly NodeAddress[],
  options: {
    readonly access: FleetAccess
    readonly fromMs: number
    readonly timeoutMs: number
    readonly signal: AbortSignal
  },
): Promise<KeptAudit[]> {
  const waiting = [...nodes]
  const found: KeptAudit[] = []
  const work = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift())
      found.push(await readNode(node, options))
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, nodes.length) }, work))
  return found
}

/**
 * Read those nodes once more of which a stream holds later records than were read: what a node wrote in between, about this
 * very look at it, is no end that was cut off. Never rejects.
 */
export async function readOn(
  kept: readonly KeptAudit[],
  regions: readonly RegionAudit[],
  nodes: readonly NodeAddress[],
  options: Parameters<typeof readNodes>[1],
): Promise<readonly KeptAudit[]> {
  const streamed = regions.flatMap((region) => region.nodes)
  const behind = kept.filter((its) => {
    if (!its.ok) return false
    const held = streamed.filter(({ site, node }) => site === its.site && node === its.node)
    return newest(held.map(({ record }) => record)) > newest(its.records)
  })
  const later = await readNodes(
    nodes.filter(({ key }) => behind.some((its) => its.key === key)),
    options,
  )
  return kept.map((its) => {
    const now = later.find((read) => read.key === its.key)
    return its.ok && now?.ok === true ? { ...its, records: now.records } : its
  })
}

/** Number of the newest record of a chain; 0 when there is none. */
function newest(records: readonly AuditRecord[]): number {
  return records.reduce((most, { chain }) => Math.max(most, chain.n), 0)
}

async function readNode(
  address: NodeAddress,
  options: {
    readonly access: FleetAccess
    readonly fromMs: number
    readonly timeoutMs: number
    readonly signal: AbortSignal
  },
): Promise<KeptAudit> {
  const { fromMs, signal } = options
  const opened = await openNode(address, options)
  if (!opened.ok) return { ok: false, key: address.key, reason: opened.reason }
  const { node } = opened
  try {
    // First its word on what is held upstream: by then the stream must have it.
    const { identity, status } = node.detail()
    const heldSeq = heldBy(status)
    const records: AuditRecord[] = []
    let missed = 0
    const range = { fromMs: fromMs <= 0 ? 0 : Math.max(0, fromMs + node.clockOffsetMs), toMs: MAX_TIME_MS }
    const outcome = await new NodeHistorySource(() => node.link).read(
      '',
      { ...range, kinds: ['audit'] },
      {
        rows: (part) => {
          if (part.kind === 'audit') records.push(...part.rows)
        },
        gap: (gap) => {
          missed += gap.missed ?? 1
        },
      },
      signal,
    )
    if (!outcome.ok) return { ok: false, key: address.key, reason: outcome.message }
    if (missed > 0) return { ok: false, key: address.key, reason: `${missed} of its audit records did not come` }
    const { key } = address
    return { ok: true, key, site: identity?.site ?? '', node: identity?.name ?? key, records, heldSeq }
  } finally {
    await node.stop()
  }
}

/** The last audit record that the bus of some region holds; null where none tells. */
function heldBy(status: NodeStatus | null): number | null {
  const held = (status?.uplink.targets ?? []).flatMap(({ kind, levels }) => {
    const level = (levels as Readonly<Record<string, { readonly held: number } | undefined>> | undefined)?.audit
    return level === undefined || kind !== 'nats' ? [] : [level.held]
  })
  return held.length === 0 ? null : Math.max(...held)
}

/**
 * Read the journals of a context on this machine, and that of `operator`, who must have one here if they ever did
 * something here. @throws Error when one cannot be read
 */
export function readOwn(dir: string, context: string, operator: string | null): OwnJournal[] {
  const files = journalsOf(dir, context)
  const isListed = operator === null || files.some((file) => file.operator === operator)
  return (isListed ? files : [...files, journalOf(dir, { context, operator })]).map((file) => {
    const lines = file.read()
    return {
      path: file.path,
      operator: file.operator,
      shipped: shippedOf(file.path),
      records: lines.flatMap(({ record }) => (record === null ? [] : [record])),
      unreadableLines: lines.flatMap(({ line, record }) => (record === null ? [line] : [])),
    }
  })
}

/** Everything that was read of nodes, as one list. */
export function nodeAudits(kept: readonly KeptAudit[], regions: readonly RegionAudit[]): NodeAudit[] {
  const own = kept.flatMap((its) =>
    its.ok ? its.records.map((record) => ({ site: its.site, node: its.node, source: 'node' as const, record })) : [],
  )
  return [...own, ...regions.flatMap(({ nodes }) => nodes)]
}

/** The chains of each node, from wherever they were read. */
export function nodeChains(kept: readonly KeptAudit[], regions: readonly RegionAudit[]): NodeChains[] {
  const titles = new Map<string, Extract<KeptAudit, { ok: true }> | null>()
  for (const its of kept) if (its.ok) titles.set(`${its.site}/${its.node}`, its)
  for (const { site, node } of regions.flatMap(({ nodes }) => nodes)) {
    const title = `${site}/${node}`
    if (!titles.has(title)) titles.set(title, null)
  }
  return Array.from(titles, ([title, its]) => ({
    title,
    kept: its?.records ?? null,
    heldSeq: its?.heldSeq ?? null,
    isAllRead: isAllRead(regions),
    streams: regions
      .filter(({ isRead }) => isRead)
      .map(({ region, nodes }) => ({
        region,
        records: nodes.filter(({ site, node }) => `${site}/${node}` === title).map(({ record }) => record),
      })),
  }))
}

/**
 * The chains of each journal, from wherever they were read. One that a stream holds of an operator whose journals are
 * here, written on this host, must be on this machine: also an emptied file, and one that is gone, are looked at.
 */
export function journalChains(
  own: readonly OwnJournal[],
  regions: readonly RegionAudit[],
  dir: string,
): JournalChains[] {
  const streamed = regions.flatMap(({ operators }) => operators.map(({ record }) => record))
  const records = [...own.flatMap((file) => file.records), ...streamed]
  const marked = own.flatMap(({ shipped }) => [...shipped.keys()])
  const ids = new Set([...records.map(({ journal }) => journal), ...marked])
  const here = journalIdsIn(dir)
  const chains = Array.from(ids, (id): JournalChains => {
    const about = records.find(({ journal }) => journal === id)
    const file =
      own.find((its) => its.records.some(({ journal }) => journal === id)) ??
      own.find(({ shipped }) => shipped.has(id)) ??
      // A journal of another context is not one of this, and is not gone.
      own.find(({ operator }) => about?.operator === operator && about.host === thisHost() && !here.has(id))
    return {
      title: `${about?.operator ?? file?.operator ?? '?'} on ${about?.host ?? thisHost()}`,
      kept: file?.records.filter(({ journal }) => journal === id) ?? null,
      // Told once, whatever journals the file once held.
      unreadableLines:
        file !== undefined && id === (file.records[0]?.journal ?? first(file.shipped)) ? file.unreadableLines : [],
      shippedN: file?.shipped.get(id) ?? 0,
      isAllRead: isAllRead(regions),
      streams: regions
        .filter(({ isRead }) => isRead)
        .map(({ region, operators }) => ({
          region,
          records: operators.map(({ record }) => record).filter(({ journal }) => journal === id),
        })),
    }
  })
  // A file of which nothing can be read, and that left no mark, names no journal.
  const illegible = own.filter(
    (file) => file.records.length === 0 && file.shipped.size === 0 && file.unreadableLines.length > 0,
  )
  const blank = { kept: [], streams: [], isAllRead: false, shippedN: 0 }
  return [...chains, ...illegible.map(({ path, unreadableLines }) => ({ title: path, unreadableLines, ...blank }))]
}

function first(shipped: ReadonlyMap<string, number>): string | undefined {
  return [...shipped.keys()][0]
}

/** Whether what no region is seen to hold is held by none. */
function isAllRead(regions: readonly RegionAudit[]): boolean {
  return regions.length > 0 && regions.every(({ error, truncated }) => error === null && !truncated)
}
