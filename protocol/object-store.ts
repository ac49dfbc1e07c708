import { z } from 'zod'

/**
 * How packages lie in a bucket of NATS Object Store (NATS ADR-20): an object `packages/<digest>` for each statement and
 * `blobs/<SHA-256>` for each file. The names of contents never change what they mean, so nothing is ever written over and
 * a bucket needs no right to delete or to roll up.
 */
export const PACKAGE_BUCKET = 'packages'
/** Most bytes of a message that holds a stretch of an object. */
export const CHUNK_BYTES = 128 * 1024

/** Names that a stream may have in it; a bucket's stream is `OBJ_<bucket>`. */
const BUCKET = /^[A-Za-z0-9_-]{1,64}$/

/** Whether a text can name a bucket. */
export function isBucket(text: string): boolean {
  return BUCKET.test(text)
}

/** The stream of a bucket. */
export function bucketStream(bucket: string): string {
  return `OBJ_${bucket}`
}

/** Subjects that a bucket's stream holds. */
export function bucketSubjects(bucket: string): readonly string[] {
  return [`$O.${bucket}.C.>`, metaSubjects(bucket)]
}

/** Subject of the messages that an object's content is cut into. */
export function chunkSubject(bucket: string, nuid: string): string {
  return `$O.${bucket}.C.${nuid}`
}

/** Subject of what is said of an object. */
export function metaSubject(bucket: string, object: string): string {
  return `$O.${bucket}.M.${base64Url(Buffer.from(object))}`
}

/** Subjects of what is said of objects, of all of them. */
export function metaSubjects(bucket: string): string {
  return `$O.${bucket}.M.>`
}

/** Name of the object that holds a statement. */
export function statementObject(digest: string): string {
  return `packages/${digest}`
}

/** Name of the object that holds a file. */
export function blobObject(sha256: string): string {
  return `blobs/${sha256}`
}

/** How an object's meta says a SHA-256. */
export function objectDigest(sha256: Buffer): string {
  return `SHA-256=${base64Url(sha256)}`
}

/**
 * What a bucket says of an object, in part.
 * @example {"name":"blobs/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","bucket":"packages","nuid":"44136fa355b3678a-0","size":2,"chunks":1,"digest":"SHA-256=RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o=","options":{"max_chunk_size":131072}}
 */
export const objectMetaSchema = z.looseObject({
  name: z.string().max(256),
  nuid: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  size: z.int().nonnegative(),
  chunks: z.int().nonnegative(),
  digest: z.string().max(64).optional(),
  deleted: z.boolean().optional(),
  options: z
    .looseObject({
      max_chunk_size: z.int().positive().optional(),
      // An object that stands for another one is none of ours.
      link: z.never().nullish(),
    })
    .nullish(),
})
/** @see objectMetaSchema */
export type ObjectMeta = z.infer<typeof objectMetaSchema>

/** With padding, as every client of object stores writes it. */
function base64Url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}
