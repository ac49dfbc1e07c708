import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { unixMs } from '../../protocol/bounds.ts'
import { BLOCK_HEADERS, type BlockSubject, readBlockSubject } from '../../protocol/subjects.ts'

/** A message of a stream as it came; nothing in it is trusted. */
export interface RawBlock {
  /** Operator's name of the region that it was read in. */
  readonly region: string
  readonly subject: string
  /** Sequence in the stream. */
  readonly position: number
  /** When the stream took it, Unix ms on the server's clock. */
  readonly heldAtMs: number
  /** Value of a header by name; null or empty when it has none. */
  header(name: string): string | null
  readonly body: Uint8Array
}

/** A record as the cloud holds it. */
export interface CloudRecord {
  readonly seq: number
  /** Unix ms on the node's clock. */
  readonly timestamp: number
  /** The whole JSON record, as the node keeps it. It may hold any text: make it safe before showing it. */
  readonly line: string
}

/** Records of one class and epoch of a node, whole: their digest is right. */
export interface CloudBlock extends BlockSubject {
  readonly region: string
  readonly position: number
  readonly heldAtMs: number
  readonly epoch: string
  /** The epoch the records were written in, when the disk was cloned or restored before they travelled. */
  readonly originEpoch: string | null
  readonly firstSeq: number
  readonly lastSeq: number
  /** Last sequence of the block before, of the same epoch and class; 0 for the first, null when the block does not say. */
  readonly prevSeq: number | null
  /** The node could not tell whether this region holds it already. */
  readonly maybeDuplicate: boolean
  /** Rising by `seq`, at least one. */
  readonly records: readonly CloudRecord[]
}

/** A block, or why it is none. */
export type DecodedBlock =
  | { readonly ok: true; readonly block: CloudBlock }
  | { readonly ok: false; readonly msg: string }

/** Most bytes of a block before and after decompression: 16 times what a node packs, for one record that is large alone. */
export const MAX_BLOCK_BYTES = 16 * 1024 * 1024
const MAX_RECORDS = 100_000

const fromGzip = promisify(gunzip)
const fromZstd = promisify(zstdDecompress)
const seqHeader = z
  .string()
  .regex(/^\d{1,16}$/)
  .transform(Number)
const headersSchema = z.object({
  epoch: z.string().regex(/^[\w-]{1,64}$/),
  originEpoch: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .nullable(),
  firstSeq: seqHeader,
  lastSeq: seqHeader,
  prevSeq: seqHeader.nullable(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
})
const envelopeSchema = z.object({
  seq: z.int().positive(),
  node_id: z.string(),
  timestamp: unixMs,
})

/**
 * Open a block: bounded in size, its digest and sequences checked, every record's envelope parsed, and its node the one
 * of the subject, since a payload may claim anything. Never throws.
 */
export async function decodeBlock(raw: RawBlock): Promise<DecodedBlock> {
  const subject = readBlockSubject(raw.subject)
  if (subject === null) return refuse('the subject is none of a block')
  const told = (name: string): string | null => raw.header(name) || null
  const headers = headersSchema.safeParse({
    epoch: told(BLOCK_HEADERS.epoch),
    originEpoch: told(BLOCK_HEADERS.originEpoch),
    firstSeq: told(BLOCK_HEADERS.firstSeq),
    lastSeq: told(BLOCK_HEADERS.lastSeq),
    prevSeq: told(BLOCK_HEADERS.prevSeq),
    digest: told(BLOCK_HEADERS.digest),
  })
  if (!headers.success) return refuse(`the header of ${String(headers.error.issues[0]?.path[0])} is missing or wrong`)
  const { digest, ...rest } = headers.data
  const plain = await decompress(raw.body, told(BLOCK_HEADERS.contentEncoding))
  if (typeof plain === 'string') return refuse(plain)
  if (createHash('sha256').update(plain).digest('hex') !== digest) return refuse('the digest does not fit the body')
  const records = readRecords(plain, subject.node)
  if (typeof records === 'string') return refuse(records)
  if (records[0]?.seq !== rest.firstSeq || records.at(-1)?.seq !== rest.lastSeq) {
    return refuse('the sequences of the headers are not those of the records')
  }
  const { region, position, heldAtMs } = raw
  const maybeDuplicate = told(BLOCK_HEADERS.maybeDuplicate) === '1'
  return { ok: true, block: { ...subject, ...rest, region, position, heldAtMs, maybeDuplicate, records } }
}

/** The plain body, or what is wrong. */
async function decompress(body: Uint8Array, encoding: string | null): Promise<Buffer | string> {
  if (body.length > MAX_BLOCK_BYTES) return `the body is over ${MAX_BLOCK_BYTES} bytes`
  const limit = { maxOutputLength: MAX_BLOCK_BYTES }
  try {
    switch (encoding) {
      case 'gzip':
        return await fromGzip(body, limit)
      case 'zstd':
        return await fromZstd(body, limit)
      case null:
      case 'identity':
        return Buffer.from(body)
      default:
        return 'it is compressed in a way that this console does not know'
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? `the body is over ${MAX_BLOCK_BYTES} bytes when decompressed`
      : `the body is no ${encoding}`
  }
}

function readRecords(plain: Buffer, node: string): CloudRecord[] | string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(plain)
  } catch {
    return 'the body is not UTF-8'
  }
  const records: CloudRecord[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    if (records.length === MAX_RECORDS) return `it holds more than ${MAX_RECORDS} records`
    const envelope = envelopeSchema.safeParse(parse(line))
    if (!envelope.success) return `record ${records.length + 1} is none`
    const { seq, node_id, timestamp } = envelope.data
    if (node_id !== node) return `record ${records.length + 1} is of another node than the subject`
    if (seq <= (records.at(-1)?.seq ?? 0)) return 'the sequences do not rise'
    records.push({ seq, timestamp, line })
  }
  return records.length === 0 ? 'it holds no record' : records
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function refuse(msg: string): DecodedBlock {
  return { ok: false, msg }
}
