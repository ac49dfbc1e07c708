import { type NatsConnection, headers as newHeaders } from 'nats'
import { z } from 'zod'
import type { EdgeError } from '../../../protocol/errors.ts'
import { journalFailing } from './failing.ts'

/** A connection to the bus that holds the journals, and where its JetStream is asked. */
export interface BusDoor {
  readonly connection: NatsConnection
  /** Prefix of the API, e.g. `$JS.API`. */
  readonly apiPrefix: string
}

/** How the bus that holds the journals is reached. */
export interface BusStoreOptions {
  /** Connect; asked again whenever the connection before has ended. Rejects with a sentence that says why. */
  readonly open: () => Promise<BusDoor>
  /** What it is called in messages. */
  readonly name: string
  /** For each answer, ms. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5000
const NEXT = [
  'see that the servers of the bus run and can be reached from here',
  'see that its streams are there: edgedeck nats setup --apply',
]

const NEXT_FULL = [
  'see how full its streams are: edgedeck doctor',
  'have whoever keeps the bus give the stream more room (max_bytes of ROLLOUT), or make room on its disk: what is on probation goes back by itself meanwhile',
]

/** JetStream: something else is last on the subject. */
const WRONG_LAST = 10_071
/** JetStream: the stream, its account or the server has no room for it. */
const NO_ROOM: readonly number[] = [10_023, 10_047, 10_077]
const NOT_FOUND = 404

const ackSchema = z.object({
  stream: z.string().optional(),
  seq: z.int().nonnegative().optional(),
  error: z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() }).optional(),
})

/** What became of a message: its place in the stream, or null when another one was last than was expected. */
export type Stored = { readonly position: number } | null

/** A message as a stream holds it; `position` 0 when there is none. */
export interface HeldMessage {
  readonly position: number
  /** When the server took it, Unix ms of the server. */
  readonly atMs: number
  readonly data: Uint8Array
  readonly header: (name: string) => string
}

const NONE: HeldMessage = { position: 0, atMs: 0, data: new Uint8Array(), header: () => '' }

/** One connection for journal and leases, made when it is needed. */
export class BusStore {
  readonly name: string
  readonly timeoutMs: number
  readonly #open: () => Promise<BusDoor>
  #door: Promise<BusDoor> | null = null

  constructor({ open, name, timeoutMs = TIMEOUT_MS }: BusStoreOptions) {
    this.name = name
    this.timeoutMs = timeoutMs
    this.#open = open
  }

  /** The connection as it stands, or a new one. Rejects with why there is none. */
  async door(): Promise<BusDoor> {
    const held = await this.#door?.catch(() => null)
    if (held != null && !held.connection.isClosed()) return held
    const opening = this.#open()
    this.#door = opening
    opening.catch(() => {
      if (this.#door === opening) this.#door = null
    })
    return await opening
  }

  /** End the connection. */
  async close(): Promise<void> {
    const door = await this.#door?.catch(() => null)
    this.#door = null
    await door?.connection.close()
  }

  /**
   * Write a message behind the one that is expected to be last on its subject. Rejects when nobody knows what became of it.
   */
  async put(
    to: { readonly stream: string; readonly subject: string },
    data: Uint8Array | string,
    expected: { readonly position: number; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Stored> {
    const { connection } = await this.door()
    const head = newHeaders()
    head.set('Nats-Expected-Stream', to.stream)
    head.set('Nats-Expected-Last-Subject-Sequence', String(expected.position))
    for (const [name, value] of Object.entries(expected.headers ?? {})) head.set(name, value)
    const limit = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    if (data.length + HEADER_ROOM > limit)
      throw new Error(`an event of ${data.length} bytes is over what the bus takes`)
    const answer = await connection.request(to.subject, data, { timeout: this.timeoutMs, headers: head })
    const ack = ackSchema.safeParse(answer.json())
    if (!ack.success) throw new Error('the answer of the bus cannot be read')
    const { error, stream, seq } = ack.data
    if (error?.err_code === WRONG_LAST) return null
    if (error?.err_code !== undefined && NO_ROOM.includes(error.err_code))
      throw new NoRoom(to.stream, error.description)
    if (error !== undefined) throw new Error(error.description ?? `the bus answers error ${error.code}`)
    if (stream !== to.stream || seq === undefined || seq <= expected.position)
      throw new Error('it was not stored in its stream')
    return { position: seq }
  }

  /** The last message on a subject. */
  async last(stream: string, subject: string): Promise<HeldMessage> {
    const { connection, apiPrefix } = await this.door()
    const call = `${apiPrefix}.DIRECT.GET.${stream}.${subject}`
    return readStored(await connection.request(call, '', { timeout: this.timeoutMs }))
  }

  /** The first message on a subject from a position on. */
  async next(stream: string, subject: string, fromPosition = 1): Promise<HeldMessage> {
    const { connection, apiPrefix } = await this.door()
    const wish = JSON.stringify({ seq: fromPosition, next_by_subj: subject })
    return readStored(await connection.request(`${apiPrefix}.DIRECT.GET.${stream}`, wish, { timeout: this.timeoutMs }))
  }

  /** A failure as it is told. */
  failing(cause: unknown): EdgeError {
    return journalFailing(this.name, cause, cause instanceof NoRoom ? NEXT_FULL : NEXT)
  }
}

/** The bus is reached and takes nothing more. */
class NoRoom extends Error {
  constructor(stream: string, what = 'no room') {
    super(`the stream ${stream} takes nothing more: ${what}`)
  }
}

/** Beside the bytes of an event a message has headers. */
const HEADER_ROOM = 1024

function readStored(message: Awaited<ReturnType<NatsConnection['request']>>): HeldMessage {
  const { headers, data } = message
  if (headers?.code === NOT_FOUND) return NONE
  const position = Number(headers?.get('Nats-Sequence'))
  const atMs = Date.parse(headers?.get('Nats-Time-Stamp') ?? '')
  if (!Number.isSafeInteger(position) || position <= 0 || Number.isNaN(atMs)) {
    throw new Error(headers?.description || 'the stream does not answer')
  }
  return { position, atMs, data, header: (name) => headers?.get(name) ?? '' }
}
