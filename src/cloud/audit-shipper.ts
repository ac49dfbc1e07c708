import { headers, type Msg } from 'nats'
import { z } from 'zod'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { AUDIT_STREAM } from '../../protocol/stream-config.ts'
import { operatorAuditSubject } from '../../protocol/subjects.ts'
import type { JournalFile, JournalLine } from '../audit/journal-file.ts'
import { markShipped, shippedThrough } from '../audit/shipped-mark.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { type CloudConnection, openCloud } from './cloud-connection.ts'

/** A way to the stream of audit records, as the operator. */
export type ShipRoute = CloudConnection & { readonly timeoutMs: number }

/** Header: how far each journal of the operator has come, `id=n`, the newest first. Each message carries it on. */
const HEADS_HEADER = 'Edge-Journals'
const MAX_JOURNALS = 16
const MAX_BATCH = 200
const MAX_BATCH_CHARS = 256 * 1024
const NOT_FOUND = 404
/** JetStream: something else is last on the subject, so another console of the operator was quicker. */
const WRONG_LAST = 10_071
const TRIES = 5

const ackSchema = z.object({
  stream: z.string().optional(),
  seq: z.int().optional(),
  error: z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() }).optional(),
})

/** Connect to a region and bring it a journal. Resolves with why it could not be, null when it has all of it. */
export async function shipTo(cloud: CloudAddress, file: JournalFile, timeoutMs: number): Promise<EdgeError | null> {
  try {
    const { connection, apiPrefix } = await openCloud(cloud, { timeoutMs, reconnects: 0 })
    try {
      await shipJournal(file, { connection, apiPrefix, timeoutMs })
      return null
    } finally {
      await connection.close()
    }
  } catch (error) {
    return notThere(cloud.name, error)
  }
}

interface Tail {
  /** Sequence of the last message on the subject; 0 for none. */
  readonly position: number
  /** Number of the last record by journal. */
  readonly heads: ReadonlyMap<string, number>
}

/**
 * Bring what a journal holds to the stream, once: each message names what must be the last on the operator's subject, and
 * carries how far each of the operator's journals has come, so that one look at the last message says where to go on,
 * whatever was lost on the way and whichever machine was last.
 * @returns how many records went
 * @throws Error when the stream does not answer or refuses
 */
export async function shipJournal(file: JournalFile, route: ShipRoute): Promise<number> {
  const lines = file.read()
  const journal = lines.find(({ record }) => record !== null)?.record?.journal
  if (journal === undefined) return 0
  const subject = operatorAuditSubject(file.operator)
  let shipped = 0
  for (let tries = 0; tries < TRIES; ) {
    const tail = await tailOf(subject, route)
    const from = startOf(tail, journal, file.path)
    const batch = batchOf(lines, from)
    const last = batch.at(-1)?.record
    if (last == null) return shipped
    if (!(await publish({ subject, batch, tail, journal, n: last.chain.n }, route))) {
      tries += 1
      continue
    }
    tries = 0
    shipped += batch.length
    markShipped(file.path, journal, last.chain.n)
  }
  throw new Error('others write to it all the time')
}

function notThere(region: string, cause: unknown): EdgeError {
  const why = /no responders|503/i.test(messageOf(cause)) ? `there is no stream ${AUDIT_STREAM}` : messageOf(cause)
  return new EdgeError('CLOUD_UNREACHABLE', {
    message: `what was done is kept here and not in ${region} yet: ${why}`,
    next: ['it goes with the next command', 'see that the stream is there: edgedeck nats setup'],
    cause,
  })
}

/** Where to go on: behind what the last message says; what was there once and is known no more, by what is kept here. */
function startOf({ position, heads }: Tail, journal: string, path: string): number {
  const known = heads.get(journal)
  if (known !== undefined) return known
  return position > 0 && heads.size >= MAX_JOURNALS ? shippedThrough(path, journal) : 0
}

function batchOf(lines: readonly JournalLine[], afterN: number): JournalLine[] {
  const batch: JournalLine[] = []
  let chars = 0
  for (const line of lines) {
    if (line.record === null || line.record.chain.n <= afterN) continue
    chars += line.text.length
    if (batch.length === MAX_BATCH || (batch.length > 0 && chars > MAX_BATCH_CHARS)) break
    batch.push(line)
  }
  return batch
}

async function tailOf(subject: string, { connection, apiPrefix, timeoutMs }: ShipRoute): Promise<Tail> {
  const message = await connection.request(`${apiPrefix}.DIRECT.GET.${AUDIT_STREAM}.${subject}`, '', {
    timeout: timeoutMs,
  })
  if (message.headers?.code === NOT_FOUND) return { position: 0, heads: new Map() }
  const position = Number(message.headers?.get('Nats-Sequence'))
  if (!Number.isSafeInteger(position) || position <= 0) {
    throw new Error(message.headers?.description || 'the stream does not answer')
  }
  return { position, heads: headsIn(message) }
}

function headsIn(message: Msg): ReadonlyMap<string, number> {
  const heads = new Map<string, number>()
  for (const part of (message.headers?.get(HEADS_HEADER) ?? '').split(',').slice(0, MAX_JOURNALS)) {
    const [, journal, n] = /^([0-9a-f]{32})=(\d{1,15})$/.exec(part) ?? []
    if (journal !== undefined) heads.set(journal, Number(n))
  }
  return heads
}

/** True when the stream took it, false when something else had come before. */
async function publish(
  wanted: {
    readonly subject: string
    readonly batch: readonly JournalLine[]
    readonly tail: Tail
    readonly journal: string
    readonly n: number
  },
  { connection, timeoutMs }: ShipRoute,
): Promise<boolean> {
  const { subject, batch, tail, journal, n } = wanted
  const heads = [[journal, n] as const, ...[...tail.heads].filter(([other]) => other !== journal)]
  const head = headers()
  head.set('Nats-Expected-Stream', AUDIT_STREAM)
  head.set('Nats-Expected-Last-Subject-Sequence', String(tail.position))
  head.set('Content-Type', 'application/x-ndjson')
  head.set(
    HEADS_HEADER,
    heads
      .slice(0, MAX_JOURNALS)
      .map(([id, its]) => `${id}=${its}`)
      .join(','),
  )
  const body = batch.map(({ text }) => `${text}\n`).join('')
  const answer = await connection.request(subject, body, { timeout: timeoutMs, headers: head })
  const ack = ackSchema.safeParse(answer.json())
  if (!ack.success) throw new Error('the answer cannot be read')
  const { error, stream, seq } = ack.data
  if (error?.err_code === WRONG_LAST) return false
  if (error !== undefined) throw new Error(error.description ?? `the server answers error ${error.code}`)
  if (stream !== AUDIT_STREAM || seq === undefined || seq <= tail.position) throw new Error('it was not stored there')
  return true
}
