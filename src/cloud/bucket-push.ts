import { createHash } from 'node:crypto'
import { headers } from 'nats'
import { z } from 'zod'
import {
  bucketStream,
  CHUNK_BYTES,
  chunkSubject,
  metaSubject,
  type ObjectMeta,
  objectDigest,
  objectMetaSchema,
} from '../../protocol/object-store.ts'
import { answerOf, type BucketDoor, jsonOf, readBatch } from './bucket-read.ts'

/** Something that is to lie in a bucket under a name that says its content. */
export interface PushedObject {
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
  /** Bytes of it from an offset on, as many as there are up to the length. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array>
}

/** @see pushObject */
export interface BucketRoute extends BucketDoor {
  /** Told after each piece. */
  readonly pushed?: (bytes: number) => void
}

/** What became of an object: `there` already, or pushed with so many bytes over the link. */
export type PushOutcome = { readonly what: 'there' } | { readonly what: 'pushed'; readonly bytes: number }

const NOT_FOUND = 404
/** JetStream: something else is last on the subject, so somebody else pushes too. */
const WRONG_LAST = 10_071
/** Times that somebody else may have been quicker. */
const TRIES = 20
/** Contents under one name that were none of ours, before it is given up. */
const NUIDS = 8
const READ_BACK_BYTES = 1024 * 1024

const ackSchema = z.object({
  stream: z.string().optional(),
  seq: z.int().optional(),
  error: z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() }).optional(),
})

/** Something else came first; look again. */
class Overtaken extends Error {}

/**
 * Have an object in a bucket, once: what is there whole is left alone, what a push before left is compared and gone on
 * with, and every message says what must be before it, so that two who push the same do not spoil it for each other.
 * @throws Error with a sentence, when the bucket is not there, refuses, or does not answer
 */
export async function pushObject(object: PushedObject, route: BucketRoute): Promise<PushOutcome> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    route.signal.throwIfAborted()
    try {
      return await pushOnce(object, route)
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error
    }
  }
  throw new Error(`others write ${object.name} all the time`)
}

async function pushOnce(object: PushedObject, route: BucketRoute): Promise<PushOutcome> {
  const last = await metaOf(object, route)
  if (last.meta !== null && isOf(last.meta, object) && (await isWhole(last.meta, route))) return { what: 'there' }
  const chunks = Math.ceil(object.sizeBytes / CHUNK_BYTES)
  for (let n = 0; n < NUIDS; n += 1) {
    const nuid = `${object.sha256.slice(0, 32)}-${n}`
    const begun = await compare(object, nuid, route)
    if (begun === null) continue
    let { seq } = begun
    let bytes = 0
    for (let index = begun.chunks; index < chunks; index += 1) {
      route.signal.throwIfAborted()
      const piece = await pieceOf(object, index)
      seq = await publish(chunkSubject(route.bucket, nuid), piece, seq, route)
      bytes += piece.length
      route.pushed?.(piece.length)
    }
    const meta = {
      name: object.name,
      description: '',
      bucket: route.bucket,
      nuid,
      size: object.sizeBytes,
      chunks,
      digest: objectDigest(Buffer.from(object.sha256, 'hex')),
      mtime: new Date().toISOString(),
      deleted: false,
      options: { max_chunk_size: CHUNK_BYTES },
    }
    await publish(metaSubject(route.bucket, object.name), Buffer.from(JSON.stringify(meta)), last.seq, route)
    return { what: 'pushed', bytes }
  }
  throw new Error(`what lies under the name of ${object.name} is something else, ${NUIDS} times`)
}

/** How much of an object is there under an id; null when that is something else. */
async function compare(
  object: PushedObject,
  nuid: string,
  route: BucketRoute,
): Promise<{ readonly chunks: number; readonly seq: number } | null> {
  let index = 0
  let seq = 0
  let isMore = true
  while (isMore) {
    isMore = false
    const from = { subject: chunkSubject(route.bucket, nuid), seq: seq + 1, maxBytes: READ_BACK_BYTES }
    for (const message of await readBatch(from, route)) {
      const piece = await pieceOf(object, index)
      if (piece.length === 0 || Buffer.compare(piece, message.data) !== 0) return null
      index += 1
      seq = Number(message.headers?.get('Nats-Sequence'))
      isMore = Number(message.headers?.get('Nats-Num-Pending')) > 0
      route.pushed?.(piece.length)
    }
  }
  return { chunks: index, seq }
}

async function isWhole({ nuid, chunks }: ObjectMeta, route: BucketRoute): Promise<boolean> {
  if (chunks === 0) return true
  const [first] = await readBatch({ subject: chunkSubject(route.bucket, nuid), seq: 1, batch: 1 }, route)
  return first !== undefined && Number(first.headers?.get('Nats-Num-Pending')) === chunks - 1
}

function isOf(meta: ObjectMeta, { name, sha256, sizeBytes }: PushedObject): boolean {
  const isSame = meta.name === name && meta.size === sizeBytes && meta.deleted !== true
  return isSame && meta.digest === objectDigest(Buffer.from(sha256, 'hex'))
}

function pieceOf(object: PushedObject, index: number): Promise<Uint8Array> {
  const from = index * CHUNK_BYTES
  return object.read(from, Math.max(0, Math.min(CHUNK_BYTES, object.sizeBytes - from)))
}

/** What is said of an object now, and where; nothing is at 0. */
async function metaOf(
  { name }: PushedObject,
  { connection, apiPrefix, bucket, timeoutMs }: BucketRoute,
): Promise<{ readonly meta: ObjectMeta | null; readonly seq: number }> {
  const call = `${apiPrefix}.DIRECT.GET.${bucketStream(bucket)}.${metaSubject(bucket, name)}`
  const message = await answerOf(connection.request(call, '', { timeout: timeoutMs }), bucket)
  const code = message.headers?.code ?? 0
  if (code === NOT_FOUND) return { meta: null, seq: 0 }
  const seq = Number(message.headers?.get('Nats-Sequence') || Number.NaN)
  if (code !== 0 || !Number.isSafeInteger(seq))
    throw new Error(`the bucket ${bucket}: ${message.headers?.description || 'it does not answer'}`)
  const parsed = objectMetaSchema.safeParse(jsonOf(message))
  return { meta: parsed.success ? parsed.data : null, seq }
}

/** Store one message behind what must be the last on its subject; its position. */
async function publish(
  subject: string,
  body: Uint8Array,
  lastSeq: number,
  { connection, bucket, timeoutMs }: BucketRoute,
): Promise<number> {
  const head = headers()
  head.set('Nats-Expected-Stream', bucketStream(bucket))
  head.set('Nats-Expected-Last-Subject-Sequence', String(lastSeq))
  const answer = await answerOf(connection.request(subject, body, { timeout: timeoutMs, headers: head }), bucket)
  const ack = ackSchema.safeParse(jsonOf(answer))
  if (!ack.success) throw new Error("the bucket's answer cannot be read")
  const { error, stream, seq } = ack.data
  if (error?.err_code === WRONG_LAST) throw new Overtaken()
  if (error !== undefined) throw new Error(error.description ?? `the bucket answers error ${error.code}`)
  if (stream !== bucketStream(bucket) || seq === undefined) throw new Error('it was not stored in the bucket')
  return seq
}

/** SHA-256 of bytes, hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
