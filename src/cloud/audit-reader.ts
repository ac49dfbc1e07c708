import type { JsMsg } from '@nats-io/jetstream'
import {
  type AuditRecord,
  auditRecordSchema,
  type OperatorAuditRecord,
  operatorAuditSchema,
} from '../../protocol/audit.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { AUDIT_STREAM } from '../../protocol/stream-config.ts'
import { auditSubjects, decodeToken, operatorAuditSubject } from '../../protocol/subjects.ts'
import type { NodeAudit, OperatorAudit } from '../audit/audit-events.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { decodeBlock } from './block.ts'
import { CLOCK_MARGIN_MS, isNoStream, StreamReader } from './stream-reader.ts'

/** What a region's stream of audit records holds, in the order of the stream. */
export interface RegionAudit {
  readonly region: string
  /** There is a stream, and it was read to its end. */
  readonly isRead: boolean
  /** Why it was not read; null when it was, or when the region keeps no audit. */
  readonly error: EdgeError | null
  readonly nodes: readonly NodeAudit[]
  readonly operators: readonly OperatorAudit[]
  /** Messages that are none of ours, or not whole, and where. */
  readonly unreadable: readonly { readonly subject: string; readonly position: number; readonly msg: string }[]
  /** More is held than was taken. */
  readonly truncated: boolean
}

/** What to read of an audit. */
export interface AuditQuery {
  /** Sites that may be read; `*` for all. */
  readonly sites: '*' | readonly string[]
  /** Only nodes called so, `node` or `site/node`; empty for all. */
  readonly names?: readonly string[]
  /** Unix ms; 0 for all that there is. */
  readonly fromMs: number
  readonly timeoutMs: number
  /** Most records to take. */
  readonly limit?: number
}

const LIMIT = 500_000

/** Read what a region holds of who did what: by nodes, and by operators. Never rejects. */
export async function readRegionAudit(
  address: CloudAddress,
  { sites, names = [], fromMs, timeoutMs, limit = LIMIT }: AuditQuery,
  signal: AbortSignal,
): Promise<RegionAudit> {
  const nodes: NodeAudit[] = []
  const operators: OperatorAudit[] = []
  const unreadable: RegionAudit['unreadable'][number][] = []
  const found = { region: address.name, nodes, operators, unreadable }
  const subjects = [...nodeSubjects(sites, names), operatorAuditSubject('*')]
  try {
    const reader = await StreamReader.open(address, timeoutMs)
    try {
      for (const subject of subjects) {
        const source = { subject, stream: AUDIT_STREAM }
        for await (const message of reader.messages(source, fromMs <= 0 ? 0 : fromMs - CLOCK_MARGIN_MS, signal)) {
          const taken = subject.startsWith('audit.') ? takeJournal(message) : await takeBlock(address.name, message)
          if (typeof taken === 'string')
            unreadable.push({ subject: message.subject, position: message.seq, msg: taken })
          else if ('operators' in taken) operators.push(...taken.operators)
          else nodes.push(...taken.nodes)
          if (nodes.length + operators.length > limit) return { ...found, isRead: true, error: null, truncated: true }
        }
      }
    } finally {
      await reader.close()
    }
    const error = signal.aborted ? notRead(address, 'it was not read to its end') : null
    return { ...found, isRead: error === null, error, truncated: false }
  } catch (caught) {
    if (isNoStream(caught)) return { ...found, isRead: false, error: null, truncated: false }
    const error = caught instanceof EdgeError ? caught : notRead(address, messageOf(caught), caught)
    return { ...found, isRead: false, error, truncated: false }
  }
}

function notRead({ name }: CloudAddress, why: string, cause?: unknown): EdgeError {
  return new EdgeError('CLOUD_UNREACHABLE', {
    message: `${name}: stream ${AUDIT_STREAM}: ${why}`,
    next: ['look whether you may read it: only operators and admins of a site may'],
    cause,
  })
}

/** Subjects of nodes to read: no more than was asked for, since a fleet's whole audit may be more than can be taken. */
function nodeSubjects(sites: '*' | readonly string[], names: readonly string[]): string[] {
  const may = sites === '*' ? ['*'] : sites
  if (names.length === 0) return may.flatMap((site) => auditSubjects(site))
  const subjects = names.flatMap((name) => {
    const slash = name.indexOf('/')
    if (slash < 0) return may.flatMap((site) => auditSubjects(site, name))
    const site = name.slice(0, slash)
    return sites === '*' || sites.includes(site) ? auditSubjects(site, name.slice(slash + 1)) : []
  })
  return [...new Set(subjects)]
}

/** A block of a node; a string says why it is none. */
async function takeBlock(region: string, message: JsMsg): Promise<{ nodes: NodeAudit[] } | string> {
  const { subject, seq: position, data: body, headers } = message
  const decoded = await decodeBlock({
    region,
    subject,
    position,
    heldAtMs: Number(message.timestampNanos / 1_000_000n),
    header: (name) => headers?.get(name) ?? null,
    body,
  })
  if (!decoded.ok) return decoded.msg
  const { site, node, records } = decoded.block
  const nodes: NodeAudit[] = []
  for (const { line } of records) {
    const parsed = auditRecordSchema.safeParse(JSON.parse(line))
    if (!parsed.success) return `a record in it is none of an audit: ${parsed.error.issues[0]?.message ?? ''}`
    nodes.push({ site, node, source: 'stream', record: parsed.data as AuditRecord })
  }
  return { nodes }
}

/** Lines of an operator's journal; they must be of the operator whose subject it is. */
function takeJournal({ subject, data }: JsMsg): { operators: OperatorAudit[] } | string {
  const operator = decodeToken(subject.split('.')[2] ?? '')
  const operators: OperatorAudit[] = []
  for (const line of new TextDecoder().decode(data).split('\n')) {
    if (line === '') continue
    const record = parseLine(line)
    if (record === null) return 'a line in it is no record of a journal'
    if (record.operator !== operator) return `it holds a record of another operator than its subject`
    operators.push({ source: 'stream', record })
  }
  return { operators }
}

function parseLine(line: string): OperatorAuditRecord | null {
  try {
    const parsed = operatorAuditSchema.safeParse(JSON.parse(line))
    return parsed.success ? (parsed.data as OperatorAuditRecord) : null
  } catch {
    return null
  }
}
