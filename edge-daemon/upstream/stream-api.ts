import { z } from 'zod'
import { messageOf } from '../../protocol/errors.ts'
import {
  AUDIT_STREAM,
  auditConfiguration,
  ENCODINGS_KEY,
  STREAM_PRESET,
  streamConfiguration,
} from '../../protocol/stream-config.ts'
import { BLOCK_HEADERS, readBlockSubject } from '../../protocol/subjects.ts'
import { type BlockEncoding, encodingsIn } from './block.ts'
import type { Answer, NatsLink } from './nats-link.ts'
import { NO_RESPONDERS, noStreamMsg } from './pub-ack.ts'
import type { HeldBlock } from './wire.ts'

/** What of a stream matters to who publishes into it. */
export interface StreamFacts {
  readonly name: string
  /** When it was made, as the server writes it; a stream made anew has another. */
  readonly created: string
  /** JetStream domain it is in; null for none. */
  readonly domain: string | null
  /** Messages may be read one by one without a consumer. */
  readonly isDirect: boolean
  /** A block and its mark can be stored together, and the mark outlives it. */
  readonly keepsMarks: boolean
  /** How its readers take blocks compressed, as its metadata says ({@link ENCODINGS_KEY}). */
  readonly encodings: readonly BlockEncoding[]
  /** Copies of it; reads may come from any of them. */
  readonly replicas: number
  /** Sequence of its last message, also when that was removed since. */
  readonly lastPosition: number
}

/** Outcome of a question to a server. */
export type Told<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly msg: string }

const errorSchema = z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() })
const namesSchema = z.object({ streams: z.array(z.string()).nullish(), error: errorSchema.optional() })
const infoSchema = z.object({
  created: z.string(),
  domain: z.string().optional(),
  config: z.object({
    name: z.string(),
    metadata: z.record(z.string(), z.string()).optional(),
    allow_direct: z.boolean().optional(),
    allow_atomic: z.boolean().optional(),
    allow_msg_ttl: z.boolean().optional(),
    allow_rollup_hdrs: z.boolean().optional(),
    num_replicas: z.int().optional(),
  }),
  state: z.object({ last_seq: z.int() }),
})
const storedSchema = z.object({ message: z.object({ seq: z.int(), hdrs: z.string().optional() }) })

const NOT_FOUND = 404
/** How long an answer about a stream serves others that ask. */
const SHARED_MS = 250
/** Most that a stream holds which a node made for itself. */
const CREATED_BYTES = 1e9
/** A message that is not there, as the JetStream API says it. */
const NO_MESSAGE = 10_037
const encoder = new TextEncoder()

/** The few requests of the JetStream API that a publisher needs, over its own connection. */
export class StreamApi {
  readonly #link: NatsLink
  /** Name of the stream when it is configured; else it is looked for by subject. */
  readonly #name: string | null
  /** JetStream domain that is configured; null for the one that the credentials name, or none. */
  readonly #domain: string | null
  readonly #mayCreate: boolean
  /** Names by subject on this connection. */
  readonly #names = new Map<string, string>()
  /** Questions about streams that are under way or were answered a moment ago: the lanes ask all at once. */
  readonly #asked = new Map<string, { readonly atMs: number; readonly facts: Promise<Told<StreamFacts>> }>()
  /** Highest acknowledged position by stream, which an answer of a moment ago does not know. */
  readonly #reached = new Map<string, number>()

  constructor(link: NatsLink, options: { stream: string | null; domain: string | null; createStream: boolean }) {
    this.#link = link
    this.#name = options.stream
    this.#mayCreate = options.createStream
    this.#domain = options.domain
  }

  /** Whether only the last message on a subject can be asked for: on a bus of ours a node reads nothing else. */
  get readsLastOnly(): boolean {
    return this.#link.domain !== null
  }

  /** The stream that holds a subject, as it is now. */
  async facts(subject: string): Promise<Told<StreamFacts>> {
    // On a bus of ours streams are called as everywhere, and nobody may ask which ones there are.
    const usual = this.#link.domain === null ? null : STREAM_PRESET.name
    const fixed = isAudit(subject) ? AUDIT_STREAM : (this.#name ?? usual)
    const name = fixed === null ? await this.#nameFor(subject) : { ok: true as const, value: fixed }
    if (!name.ok) return name
    const now = performance.now()
    const asked = this.#asked.get(name.value)
    const facts = asked !== undefined && now - asked.atMs < SHARED_MS ? asked.facts : this.#info(name.value)
    if (facts !== asked?.facts) this.#asked.set(name.value, { atMs: now, facts })
    let told = await facts
    if (!told.ok && this.#mayCreate && fixed !== null && (await this.#create(fixed)).ok) {
      told = await this.#info(name.value)
    }
    if (!told.ok) return told
    const lastPosition = Math.max(told.value.lastPosition, this.#reached.get(told.value.created) ?? 0)
    return { ok: true, value: { ...told.value, lastPosition } }
  }

  /** A stream has acknowledged a position. */
  reached({ created }: StreamFacts, position: number): void {
    this.#reached.set(created, Math.max(position, this.#reached.get(created) ?? 0))
  }

  /** Ask anew: the connection is another one, or a stream may have changed. */
  forget(): void {
    this.#names.clear()
    this.#asked.clear()
    this.#reached.clear()
  }

  async #info(name: string): Promise<Told<StreamFacts>> {
    const info = answered(await this.#ask(`STREAM.INFO.${name}`), infoSchema)
    if (!info.ok) return info
    const { created, domain = null, config, state } = info.value
    const { allow_atomic, allow_msg_ttl, allow_rollup_hdrs, allow_direct, num_replicas = 1, metadata } = config
    return {
      ok: true,
      value: {
        name: config.name,
        created,
        domain,
        isDirect: allow_direct === true,
        keepsMarks: allow_atomic === true && allow_msg_ttl === true && allow_rollup_hdrs === true,
        encodings: encodingsIn(metadata?.[ENCODINGS_KEY] ?? ''),
        replicas: num_replicas,
        lastPosition: state.last_seq,
      },
    }
  }

  /** The last message on a subject, read as a block; null when there is none. */
  async last(stream: StreamFacts, subject: string): Promise<Told<HeldBlock | null>> {
    return stream.isDirect
      ? blockIn(await this.#ask(`DIRECT.GET.${stream.name}.${subject}`))
      : storedBlockIn(await this.#ask(`STREAM.MSG.GET.${stream.name}`, { last_by_subj: subject }))
  }

  /** The first message on a subject from a position on, read as a block; null when there is none. */
  async next(stream: StreamFacts, subject: string, position: number): Promise<Told<HeldBlock | null>> {
    const request = { seq: position, next_by_subj: subject }
    return stream.isDirect
      ? blockIn(await this.#ask(`DIRECT.GET.${stream.name}`, request))
      : storedBlockIn(await this.#ask(`STREAM.MSG.GET.${stream.name}`, request))
  }

  async #nameFor(subject: string): Promise<Told<string>> {
    const known = this.#names.get(subject)
    if (known !== undefined) return { ok: true, value: known }
    const names = answered(await this.#ask('STREAM.NAMES', { subject }), namesSchema)
    if (!names.ok) return names
    const [name] = names.value.streams ?? []
    if (name === undefined) return this.#mayCreate ? this.#create() : { ok: false, msg: noStreamMsg(subject) }
    this.#names.set(subject, name)
    return { ok: true, value: name }
  }

  /** Make the stream as `edgedeck nats setup` would; its name, or why there is none. */
  async #create(name = STREAM_PRESET.name): Promise<Told<string>> {
    const maxBytes = CREATED_BYTES
    const wanted = name === AUDIT_STREAM ? auditConfiguration({ maxBytes }) : streamConfiguration({ name, maxBytes })
    const made = answered(await this.#ask(`STREAM.CREATE.${name}`, wanted), infoSchema)
    return made.ok ? { ok: true, value: name } : { ok: false, msg: `the stream ${name} cannot be made: ${made.msg}` }
  }

  #ask(call: string, request?: object): Promise<Answer> {
    const domain = this.#domain ?? this.#link.domain
    const body = request === undefined ? new Uint8Array() : encoder.encode(JSON.stringify(request))
    return this.#link.exchange(
      [{ subject: `${domain === null ? '$JS.API' : `$JS.${domain}.API`}.${call}`, headers: {}, body }],
      null,
    )
  }
}

/** What people did goes to a stream of its own, whatever other blocks go to. */
function isAudit(subject: string): boolean {
  return readBlockSubject(subject)?.recordClass === 'audit'
}

function answered<T>({ message, ...rest }: Answer, schema: z.ZodType<T>): Told<T> {
  if (message === null) return { ok: false, msg: 'msg' in rest ? rest.msg : '' }
  if (message.headers?.code === NO_RESPONDERS) return { ok: false, msg: 'the server has no JetStream' }
  let value: unknown
  try {
    value = message.json()
  } catch (error) {
    return { ok: false, msg: `the server's answer is not JSON: ${messageOf(error)}` }
  }
  const { error } = z.object({ error: errorSchema.optional() }).safeParse(value).data ?? {}
  if (error !== undefined) return { ok: false, msg: error.description ?? `the server answers error ${error.code}` }
  const parsed = schema.safeParse(value)
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, msg: "the server's answer cannot be read" }
}

/** The block in an answer to a direct get (ADR-31): its headers with those of the stream, or status 404. */
function blockIn({ message, ...rest }: Answer): Told<HeldBlock | null> {
  if (message === null) return { ok: false, msg: 'msg' in rest ? rest.msg : '' }
  const { headers } = message
  if (headers?.code === NOT_FOUND) return { ok: true, value: null }
  if (headers === undefined || headers.code !== 0) {
    return { ok: false, msg: headers?.description || 'the stream does not answer' }
  }
  return { ok: true, value: heldBlock((name) => headers.get(name), Number(headers.get('Nats-Sequence'))) }
}

/** The same of an answer to `STREAM.MSG.GET`, where the headers are in base64. */
function storedBlockIn(answer: Answer): Told<HeldBlock | null> {
  const { message } = answer
  if (message !== null && message.headers?.code !== NO_RESPONDERS && isNoMessage(message.data)) {
    return { ok: true, value: null }
  }
  const stored = answered(answer, storedSchema)
  if (!stored.ok) return stored
  const { seq, hdrs = '' } = stored.value.message
  const lines = Buffer.from(hdrs, 'base64').toString().split('\r\n')
  const get = (name: string): string => {
    const line = lines.find((text) => text.startsWith(`${name}:`))
    return line === undefined ? '' : line.slice(name.length + 1).trim()
  }
  return { ok: true, value: heldBlock(get, seq) }
}

function isNoMessage(data: Uint8Array): boolean {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(data)) as { error?: { err_code?: number } }
    return error?.err_code === NO_MESSAGE
  } catch {
    return false
  }
}

/** What is on a subject and is no block of ours (somebody published by hand) is a block of nobody's epoch. */
function heldBlock(header: (name: string) => string, position: number): HeldBlock {
  return {
    epoch: header(BLOCK_HEADERS.epoch),
    firstSeq: Number(header(BLOCK_HEADERS.firstSeq)) || 0,
    lastSeq: Number(header(BLOCK_HEADERS.lastSeq)) || 0,
    digest: header(BLOCK_HEADERS.digest),
    position,
    ...(header(BLOCK_HEADERS.resend) === '' ? {} : { resend: header(BLOCK_HEADERS.resend) }),
  }
}
