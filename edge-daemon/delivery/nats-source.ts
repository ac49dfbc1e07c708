import { createHash } from 'node:crypto'
import type { Msg } from 'nats'
import {
  blobObject,
  bucketStream,
  CHUNK_BYTES,
  chunkSubject,
  metaSubject,
  type ObjectMeta,
  objectDigest,
  objectMetaSchema,
  statementObject,
} from '../../protocol/object-store.ts'
import { MAX_PACKAGE_FILE_BYTES } from '../../protocol/package.ts'
import { BucketAsker } from './bucket-asker.ts'
import { type BlobPiece, type BlobWish, type PackageSource, SourceFault } from './contract.ts'

/** Where a {@link NatsSource} fetches from. */
export interface NatsSourceOptions {
  readonly name: string
  readonly bucket: string
  readonly connection: ConstructorParameters<typeof BucketAsker>[0]['connection']
  readonly api: () => string
  /** How much is asked for at a time, bytes. */
  readonly stretchBytes: (leastBytes: number, mostBytes: number) => number
  readonly silenceMs?: number
}

/** A chunk of an object, with where it stands. */
interface Chunk {
  readonly index: number
  /** Position in the stream. */
  readonly seq: number
  readonly data: Uint8Array
}

const SILENCE_MS = 10_000
const MOST_AT_ONCE_BYTES = 1024 * 1024
/** Questions by which the place of a chunk is looked for; then it is read from the start. */
const MOST_PROBES = 12

/**
 * Fetches from a bucket of NATS Object Store by batched direct gets (NATS ADR-31), which leave nothing behind on the
 * server and ask for no right but to read. A client library reads an object from its start alone; here each message says
 * how many of the object follow it, so that a chunk in the middle is found by a few questions.
 */
export class NatsSource implements PackageSource {
  readonly name: string
  readonly #options: NatsSourceOptions
  readonly #asker: BucketAsker

  constructor(options: NatsSourceOptions) {
    this.name = options.name
    this.#options = options
    const { name, connection, api, silenceMs = SILENCE_MS } = options
    this.#asker = new BucketAsker({ name, connection, api, silenceMs })
  }

  async statement(digest: string, signal: AbortSignal): Promise<Uint8Array> {
    const meta = await this.#meta(statementObject(digest), signal)
    if (meta.size > MAX_PACKAGE_FILE_BYTES) throw this.#fault('wrong', `the statement of ${digest} is too large`)
    const pieces: Uint8Array[] = []
    for await (const { data } of this.#chunks(meta, { seq: 1, index: 0 }, signal)) pieces.push(data)
    const whole = Buffer.concat(pieces)
    const isSound = objectDigest(createHash('sha256').update(whole).digest()) === meta.digest
    if (whole.length !== meta.size || !isSound) throw this.#fault('wrong', `the statement of ${digest} is damaged`)
    return whole
  }

  async *read({ sha256, sizeBytes }: BlobWish, offset: number, signal: AbortSignal): AsyncGenerator<BlobPiece> {
    const meta = await this.#meta(blobObject(sha256), signal)
    if (meta.size !== sizeBytes) throw this.#fault('wrong', `it has ${meta.size} bytes for a blob of ${sizeBytes}`)
    const chunkBytes = meta.options?.max_chunk_size ?? 0
    const place = await this.#placeOf(meta, offset, signal)
    let at = place.index * chunkBytes
    for await (const { data } of this.#chunks(meta, place, signal)) {
      if (at + data.length > sizeBytes) throw this.#fault('wrong', `blobs/${sha256} is longer than ${sizeBytes} bytes`)
      yield { at, data }
      at += data.length
    }
    if (at < sizeBytes) throw this.#fault('wrong', `blobs/${sha256} ends after ${at} of ${sizeBytes} bytes`)
  }

  close(): Promise<void> {
    return this.#asker.close()
  }

  async #meta(object: string, signal: AbortSignal): Promise<ObjectMeta> {
    const { bucket } = this.#options
    const call = `DIRECT.GET.${bucketStream(bucket)}.${metaSubject(bucket, object)}`
    for await (const message of this.#asker.ask(call, null, signal)) {
      const parsed = objectMetaSchema.safeParse(jsonOf(message))
      if (!parsed.success || parsed.data.name !== object)
        throw this.#fault('wrong', `what it says of ${object} cannot be read`)
      if (parsed.data.deleted === true) break
      return parsed.data
    }
    throw this.#fault('missing', `the bucket ${bucket} has no ${object}`)
  }

  /** From which message on the content from an offset on is read. */
  async #placeOf(meta: ObjectMeta, offset: number, signal: AbortSignal): Promise<{ seq: number; index: number }> {
    const start = { seq: 1, index: 0 }
    const chunkBytes = meta.options?.max_chunk_size ?? 0
    const wanted = chunkBytes === 0 ? 0 : Math.floor(offset / chunkBytes)
    if (wanted === 0) return start
    let below = await this.#probe(meta, 1, signal)
    if (below?.index !== 0) return start
    // Chunks mostly lie one behind the other: the first guess is right, unless others wrote meanwhile.
    let ask = below.seq + wanted
    for (let probes = 0; probes < MOST_PROBES; probes += 1) {
      const found = await this.#probe(meta, ask, signal)
      if (found?.index === wanted) return found
      if (found !== null && found.index < wanted) {
        below = found
        ask = found.seq + (wanted - found.index)
      } else {
        ask = below.seq + Math.max(1, Math.floor((ask - below.seq) / 2))
      }
    }
    return below.index <= wanted ? below : start
  }

  /** The first chunk from a position on; null for none. */
  async #probe(meta: ObjectMeta, seq: number, signal: AbortSignal): Promise<Chunk | null> {
    for await (const message of this.#batch(meta, { seq, batch: 1 }, signal)) return this.#chunkIn(message, meta)
    return null
  }

  async *#chunks(meta: ObjectMeta, from: { seq: number; index: number }, signal: AbortSignal): AsyncGenerator<Chunk> {
    let { seq, index } = from
    while (index < meta.chunks) {
      const bytes = this.#options.stretchBytes(CHUNK_BYTES, MOST_AT_ONCE_BYTES)
      const began = index
      for await (const message of this.#batch(meta, { seq, batch: meta.chunks - index, max_bytes: bytes }, signal)) {
        const chunk = this.#chunkIn(message, meta)
        if (chunk.index !== index) throw this.#fault('wrong', `chunks of ${meta.name} are missing, or too many`)
        yield chunk
        index += 1
        seq = chunk.seq + 1
      }
      if (index === began) throw this.#fault('wrong', `${meta.name} has ${index} of ${meta.chunks} chunks`)
    }
  }

  #batch(meta: ObjectMeta, ask: { seq: number; batch: number; max_bytes?: number }, signal: AbortSignal) {
    const { bucket } = this.#options
    const request = { ...ask, next_by_subj: chunkSubject(bucket, meta.nuid) }
    return this.#asker.ask(`DIRECT.GET.${bucketStream(bucket)}`, request, signal)
  }

  #chunkIn({ headers, data }: Msg, meta: ObjectMeta): Chunk {
    const pending = Number(headers?.get('Nats-Num-Pending') || Number.NaN)
    const seq = Number(headers?.get('Nats-Sequence') || Number.NaN)
    const index = meta.chunks - 1 - pending
    const chunkBytes = meta.options?.max_chunk_size ?? null
    const isShort = chunkBytes !== null && pending > 0 && data.length !== chunkBytes
    if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(index) || index < 0 || isShort) {
      throw this.#fault('wrong', `the chunks of ${meta.name} are not as they should be`)
    }
    return { index, seq, data }
  }

  #fault(kind: SourceFault['kind'], msg: string): SourceFault {
    return new SourceFault(kind, `${this.name}: ${msg}`)
  }
}

function jsonOf(message: Msg): unknown {
  try {
    return message.json()
  } catch {
    return null
  }
}
