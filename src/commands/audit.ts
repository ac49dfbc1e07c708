import { userInfo } from 'node:os'
import { headOf } from '../../protocol/audit-chain.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { type AuditEvent, eventsOf, type OperatorAudit } from '../audit/audit-events.ts'
import { type AuditFault, judgeJournal, judgeNode, unrecorded } from '../audit/audit-verdict.ts'
import { type RegionAudit, readRegionAudit } from '../cloud/audit-reader.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FleetAccess } from '../link/access.ts'
import {
  journalChains,
  type KeptAudit,
  nodeAudits,
  nodeChains,
  type OwnJournal,
  readNodes,
  readOn,
  readOwn,
} from './audit-sources.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What is asked of the accounts; times are Unix ms on our clock. */
export interface AuditWish {
  /** Only nodes called so, `node` or `site/node`; empty for all. */
  readonly names: readonly string[]
  /** Only what this operator did; null for all. */
  readonly operator: string | null
  readonly fromMs: number
  readonly verify: boolean
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** What `edgedeck audit` was asked, and of whom. */
export interface AuditRequest extends AuditWish {
  /** Nodes to ask, of the list. */
  readonly nodes: readonly NodeAddress[]
  readonly clouds: readonly CloudAddress[]
  readonly access: FleetAccess
  /** Name of the context, whose journals on this machine are read. */
  readonly context: string
  /** Folder of all journals. */
  readonly auditDir: string
}

/** How it ended: all there and sound, something wrong, or somebody did not answer. */
export type AuditOutcome = 'sound' | 'faulty' | 'unanswered'

/**
 * One chain in one place, and what is wrong with it; a sound one has one row, else there is one a fault. `unread` is what
 * did not answer, and what was not read to its end and shows nothing wrong so far.
 */
interface ChainRow {
  readonly verdict: 'sound' | 'faulty' | 'unread'
  readonly chain: string
  readonly where: string
  readonly first: number | null
  readonly last: number | null
  /** Hash of the last record, in part. */
  readonly head: string | null
  readonly fault: string | null
  readonly kind: string | null
}

const EVENT_COLUMNS: readonly PrintedColumn<AuditEvent>[] = [
  { title: 'TIME (UTC)', text: (row) => timeText(row.at) },
  { title: 'WHO', text: (row) => untrusted(whoText(row)) },
  { title: 'NODE', text: (row) => untrusted(row.node ?? '') },
  { title: 'WHAT', text: (row) => untrusted(whatText(row)) },
  { title: 'RESULT', text: (row) => untrusted(resultText(row)) },
  { title: 'FROM', text: (row) => untrusted(fromText(row)) },
  { title: 'TOLD BY', text: (row) => row.sources.join('+') },
  { title: 'WHY', text: (row) => untrusted(row.why ?? '') },
]

/** Over which link and from which address; through the bus nobody sees an address. */
function fromText({ route, address }: AuditEvent): string {
  if (route === 'nats') return 'bus'
  return [route, address].filter((part) => part !== null).join(' ')
}

const CHAIN_COLUMNS: readonly PrintedColumn<ChainRow>[] = [
  { title: 'CHAIN', text: (row) => untrusted(row.chain) },
  { title: 'WHERE', text: (row) => untrusted(row.where) },
  { title: 'RECORDS', text: (row) => (row.first === null ? '-' : `${row.first}–${row.last}`) },
  { title: 'HEAD', text: (row) => row.head ?? '-' },
  {
    title: 'VERDICT',
    text: (row) => untrusted(row.fault ?? (row.verdict === 'unread' ? 'not read to its end' : 'sound')),
  },
]

/**
 * Who did what on the fleet, when, from where, with what result and why: by the stream, the nodes and what this machine
 * sent. With `verify` instead whether those accounts are whole and agree.
 */
export async function runAudit(request: AuditRequest, io: CommandIo): Promise<AuditOutcome> {
  const { nodes, clouds, access, timeoutMs, names, verify, context, auditDir } = request
  const fromMs = verify ? 0 : request.fromMs
  const reading = { access, fromMs, timeoutMs, signal: io.signal }
  const first = await readNodes(nodes, reading)
  const state = access.identity?.current()
  const identity = state?.kind === 'held' ? state.identity : null
  const own = readOwn(auditDir, context, identity?.name ?? userInfo().username)
  const query = { sites: identity?.rights.sites ?? '*', names, fromMs, timeoutMs } as const
  const regions = await Promise.all(clouds.map((cloud) => readRegionAudit(cloud, query, io.signal)))
  const kept = verify ? await readOn(first, regions, nodes, reading) : first
  const problems = problemsOf(kept, regions, verify)
  for (const problem of problems) io.stderr.write(`edgedeck: ${untrusted(problem)}\n`)
  const faulty = verify
    ? printVerdict({ kept, own, regions }, request, io)
    : printEvents({ kept, own, regions }, request, io)
  if (faulty) return 'faulty'
  return problems.length > 0 ? 'unanswered' : 'sound'
}

interface Read {
  readonly kept: readonly KeptAudit[]
  readonly own: readonly OwnJournal[]
  readonly regions: readonly RegionAudit[]
}

function printEvents(
  { kept, own, regions }: Read,
  { names, operator, fromMs, format }: AuditRequest,
  io: CommandIo,
): false {
  const operators: OperatorAudit[] = [
    ...own.flatMap(({ records }) => records.map((record) => ({ source: 'own' as const, record }))),
    ...regions.flatMap((region) => region.operators),
  ]
  const events = eventsOf(nodeAudits(kept, regions), operators).filter(
    (event) =>
      event.at >= fromMs &&
      (operator === null || event.who === operator || event.carrier === operator) &&
      (names.length === 0 || names.some((name) => isNode(event.node ?? '', name))),
  )
  io.stdout.write(format === 'table' ? printTable(EVENT_COLUMNS, events) : printJson(events, format))
  return false
}

/** Print what each chain came to; true when something is wrong. */
function printVerdict({ kept, own, regions }: Read, { auditDir, format }: AuditRequest, io: CommandIo): boolean {
  const rows: ChainRow[] = []
  const truncated = new Set(regions.filter((its) => its.truncated).map(({ region }) => streamIn(region)))
  const add = (chain: string, where: string, records: Parameters<typeof rowsOf>[2], faults: AuditFault[]): void => {
    const found = rowsOf(chain, where, records, faults)
    rows.push(...(truncated.has(where) ? found.map(asUnread) : found))
  }
  const sent = [
    ...own.flatMap(({ records }) => records),
    ...regions.flatMap((region) => region.operators.map(({ record }) => record)),
  ]
  for (const its of nodeChains(kept, regions)) {
    const ofNode = sent.filter(({ node }) => node?.name !== undefined && `${node.site}/${node.name}` === its.title)
    const faults = [...judgeNode(its), ...unrecorded(its, ofNode)]
    add(its.title, 'node', its.kept, faults)
    for (const { region, records } of its.streams) add(its.title, streamIn(region), records, faults)
    add(its.title, 'stream', null, faults)
  }
  for (const its of kept) {
    if (!its.ok) rows.push({ ...NOTHING, chain: its.key, where: 'node', verdict: 'unread', fault: null, kind: null })
  }
  for (const its of journalChains(own, regions, auditDir)) {
    const faults = judgeJournal(its)
    add(its.title, 'file', its.kept, faults)
    for (const { region, records } of its.streams) add(its.title, streamIn(region), records, faults)
    add(its.title, 'stream', null, faults)
  }
  for (const { region, unreadable, error, truncated: isCut } of regions) {
    for (const { subject, position, msg } of unreadable) {
      const fault = `message ${position} is no record: ${msg}`
      rows.push({ ...NOTHING, chain: subject, where: streamIn(region), verdict: 'faulty', fault, kind: 'unreadable' })
    }
    if (error !== null || isCut)
      rows.push({ ...NOTHING, chain: '*', where: streamIn(region), verdict: 'unread', fault: null, kind: null })
  }
  io.stdout.write(format === 'table' ? printTable(CHAIN_COLUMNS, rows) : printJson(rows, format))
  return rows.some(({ verdict }) => verdict === 'faulty')
}

const NOTHING = { first: null, last: null, head: null } as const

/** Rows of a chain in one place; none where nothing was read and nothing is wrong. */
function rowsOf(
  chain: string,
  where: string,
  records: readonly { readonly chain: { readonly n: number; readonly prev: string; readonly hash: string } }[] | null,
  faults: readonly AuditFault[],
): ChainRow[] {
  const own = faults.filter((fault) => fault.where === where)
  const numbers = (records ?? []).map((record) => record.chain.n)
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)]
  const newest = (records ?? []).find((record) => record.chain.n === last)
  const span = newest === undefined ? NOTHING : { first, last, head: headOf(newest).hash.slice(0, 12) }
  if (own.length > 0)
    return own.map(({ msg: fault, kind }) => ({ chain, where, ...span, verdict: 'faulty', fault, kind }))
  return newest === undefined ? [] : [{ chain, where, ...span, verdict: 'sound', fault: null, kind: null }]
}

/** What is not wrong as far as it was read is not known to be sound. */
function asUnread(row: ChainRow): ChainRow {
  return row.verdict === 'sound' ? { ...row, verdict: 'unread' } : row
}

function streamIn(region: string): string {
  return `stream in ${region}`
}

/** Whether a node `site/node` is called so. */
function isNode(title: string, name: string): boolean {
  return title === name || title.endsWith(`/${name}`)
}

function problemsOf(kept: readonly KeptAudit[], regions: readonly RegionAudit[], verify: boolean): string[] {
  // A chain is checked from its beginning, whatever the time.
  const cure = verify ? 'name some nodes' : 'choose a shorter time with --since, or name some nodes'
  return [
    ...kept.flatMap((its) => (its.ok ? [] : [`${its.key}: ${its.reason}`])),
    ...regions.flatMap(({ region, error, truncated }) => [
      ...(error === null ? [] : [error.toLine()]),
      ...(truncated ? [`${region} holds more than was taken: ${cure}`] : []),
    ]),
  ]
}

function whoText({ who, kind, role, carrier }: AuditEvent): string {
  const name = who === '' ? kind : who
  const as = role === null || role === name ? '' : ` (${role})`
  return `${name}${as}${carrier === null ? '' : ` through ${carrier}`}`
}

/** An act as its operator wrote it down, and a shell as its node was told of it. */
const REMOTE_ACTS: ReadonlySet<string> = new Set(['shell', 'exec', 'shell.begin', 'shell.end'])

function whatText({ verb, args, count }: AuditEvent): string {
  if (REMOTE_ACTS.has(verb) && args !== null) return remoteActText(verb, args)
  const told = args === null || Object.keys(args).length === 0 ? '' : ` ${JSON.stringify(args)}`
  return `${verb}${told}${count > 1 ? ` ×${count}` : ''}`
}

/** What ran on another machine, where, and what came of it; the digest of its recording is in the JSON. */
function remoteActText(verb: string, args: Readonly<Record<string, unknown>>): string {
  const { where, command, exit, signal, outBytes, recording } = args
  const parts = [
    `${verb}${typeof where === 'string' ? ` ${where}` : ''}${typeof command === 'string' ? `: ${command}` : ''}`,
    ...(typeof exit === 'number' ? [`exit ${exit}`] : []),
    ...(typeof signal === 'string' ? [`signal ${signal}`] : []),
    ...(typeof outBytes === 'number' ? [`${outBytes} B out`] : []),
    ...(typeof recording === 'string' ? [`recorded in ${recording.split('/').at(-1)}`] : []),
  ]
  return untrusted(parts.join(', '))
}

function resultText({ result, msg, durationMs }: AuditEvent): string {
  const took = durationMs === null || result !== 'OK' ? '' : ` ${Math.round(durationMs)} ms`
  if (result === 'NO_OUTCOME') return 'begun, and no end was written'
  if (result === 'NOT_RECORDED') return `sent, and no node has written it down${msg === null ? '' : `: ${msg}`}`
  return `${result}${took}${msg === null ? '' : `: ${msg}`}`
}

function timeText(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ')
}
