import { digestOfStatement } from '../../identity/package-signature.ts'
import {
  chunkSubject,
  metaSubject,
  metaSubjects,
  type ObjectMeta,
  objectMetaSchema,
  statementObject,
} from '../../protocol/object-store.ts'
import { MAX_PACKAGE_FILE_BYTES, parseSignedPackage, type SignedPackage } from '../../protocol/package.ts'
import { type BucketDoor, jsonOf, readBatch } from './bucket-read.ts'

/** A package that lies in a bucket. Its statement is what its digest says; who signed it is not verified. */
export interface BucketPackage {
  readonly digest: string
  readonly signed: SignedPackage
  /** When the server stored its statement, Unix ms of the server. */
  readonly storedAtMs: number
}

/** What lies in a bucket, newest first. */
export interface BucketPackages {
  readonly packages: readonly BucketPackage[]
  /** Digests of those whose statement is damaged or gone. */
  readonly damaged: readonly string[]
  /** Older ones that were not read. */
  readonly unread: number
}

/** Newest packages that are read. */
const MOST_PACKAGES = 200
const PARALLEL_READS = 8
/** So that a part of the list passes a slow link within the time for an answer. */
const LIST_BYTES = 128 * 1024

interface Found {
  readonly digest: string
  readonly meta: ObjectMeta
  readonly storedAtMs: number
}

/**
 * Read what packages a bucket holds, with the right to read alone and nothing left behind on the server.
 * @throws Error with a sentence, when the bucket is not there or does not answer
 */
export async function packagesIn(door: BucketDoor): Promise<BucketPackages> {
  const found = await statementsIn(door)
  found.sort((one, other) => other.storedAtMs - one.storedAtMs)
  const newest = found.slice(0, MOST_PACKAGES)
  const read: (BucketPackage | null)[] = []
  const waiting = newest.entries()
  const work = async (): Promise<void> => {
    for (const [at, one] of waiting) {
      door.signal.throwIfAborted()
      read[at] = await packageOf(one, door)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_READS }, work))
  return {
    packages: read.filter((one) => one !== null),
    damaged: newest.filter((_, at) => read[at] === null).map(({ digest }) => digest),
    unread: found.length - newest.length,
  }
}

/** What is said last of each statement; objects of files are passed over. */
async function statementsIn(door: BucketDoor): Promise<Found[]> {
  const found = new Map<string, Found>()
  const subject = metaSubjects(door.bucket)
  let seq = 1
  for (;;) {
    door.signal.throwIfAborted()
    const messages = await readBatch({ subject, seq, maxBytes: LIST_BYTES }, door)
    for (const message of messages) {
      const meta = objectMetaSchema.safeParse(jsonOf(message))
      seq = Number(message.headers?.get('Nats-Sequence') || Number.NaN) + 1
      if (!Number.isSafeInteger(seq)) throw new Error(`the bucket ${door.bucket} answers without positions`)
      const digest = meta.success ? /^packages\/([0-9a-f]{64})$/.exec(meta.data.name)?.[1] : undefined
      if (!meta.success || digest === undefined) continue
      // Who wrote it under another subject meant no statement of ours.
      if (message.headers?.get('Nats-Subject') !== metaSubject(door.bucket, statementObject(digest))) continue
      const storedAtMs = Date.parse(message.headers?.get('Nats-Time-Stamp') ?? '') || 0
      found.set(digest, { digest, meta: meta.data, storedAtMs })
    }
    if (messages.length === 0 || Number(messages.at(-1)?.headers?.get('Nats-Num-Pending')) === 0) break
  }
  return [...found.values()].filter(({ meta }) => meta.deleted !== true)
}

/** Null where what lies there is not what its name says. */
async function packageOf({ digest, meta, storedAtMs }: Found, door: BucketDoor): Promise<BucketPackage | null> {
  if (meta.size > MAX_PACKAGE_FILE_BYTES) return null
  const pieces: Uint8Array[] = []
  let seq = 1
  while (pieces.length < meta.chunks) {
    const batch = meta.chunks - pieces.length
    const subject = chunkSubject(door.bucket, meta.nuid)
    const messages = await readBatch({ subject, seq, batch, maxBytes: MAX_PACKAGE_FILE_BYTES }, door)
    if (messages.length === 0) return null
    for (const { data } of messages) pieces.push(data)
    seq = Number(messages.at(-1)?.headers?.get('Nats-Sequence')) + 1
  }
  try {
    const signed = parseSignedPackage(Buffer.concat(pieces).toString(), digest)
    return digestOfStatement(signed.statement) === digest ? { digest, signed, storedAtMs } : null
  } catch {
    return null
  }
}
