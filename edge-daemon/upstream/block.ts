import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'
import { BLOCK_CONTENT_TYPE, BLOCK_HEADERS } from '../../protocol/subjects.ts'
import type { StoredRecord } from '../store/contract.ts'
import type { SentClass } from './sent-bytes.ts'
import type { WireEpoch } from './wire-epoch.ts'

/** How a block's body is compressed; the word is its `Content-Encoding`. */
export type BlockEncoding = 'gzip' | 'zstd'

/** What is configured: one encoding, or the better one of those that the receiver says it takes. */
export type EncodingChoice = BlockEncoding | 'auto'

/** How the next block is compressed: zstd is for receivers that say they take it, gzip is what everybody takes. */
export function encodingFor(choice: EncodingChoice, taken: readonly BlockEncoding[]): BlockEncoding {
  if (choice !== 'auto') return choice
  return taken.includes('zstd') ? 'zstd' : 'gzip'
}

/** The encodings in a list such as an `Accept-Encoding` header's (RFC 9110 section 12.5.3); what has `q=0` is refused. */
export function encodingsIn(list: string): BlockEncoding[] {
  return list.split(',').flatMap((item): BlockEncoding[] => {
    const [name = '', ...params] = item.split(';').map((part) => part.trim().toLowerCase())
    const isRefused = params.some((param) => /^q=0(\.0*)?$/.test(param))
    return !isRefused && (name === 'gzip' || name === 'zstd') ? [name] : []
  })
}

/** Records as the lines of a block; a `StoredRun` is one. */
export interface BlockContent {
  readonly firstSeq: number
  readonly lastSeq: number
  /** Whole JSON records, each with a newline behind it. */
  readonly ndjson: Uint8Array
  /** Unix ms of each record, in order. */
  readonly timestamps: ArrayLike<number>
}

/** Records of one class and epoch on their way up, as every wire carries them. */
export interface Block {
  readonly recordClass: SentClass
  readonly subject: string
  /** The epoch it travels in. */
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** Unix ms of each record, in order. */
  readonly timestamps: ArrayLike<number>
  /** Bytes of the lines before compression. */
  readonly plainBytes: number
  /** SHA-256 of the body before compression, hex. */
  readonly digest: string
  /** The receiver may hold it, or parts of it, already. */
  readonly maybeDuplicate: boolean
  /** Headers by name, see `BLOCK_HEADERS`. */
  readonly headers: Readonly<Record<string, string>>
  /** Compressed NDJSON. */
  readonly body: Buffer
}

/** What a block is built with besides its records. */
export interface BlockFrame extends WireEpoch {
  readonly recordClass: SentClass
  readonly subject: string
  readonly encoding: BlockEncoding
  readonly maybeDuplicate: boolean
  /** The block before on this subject in the same epoch; null when this is the first. */
  readonly previous: { readonly lastSeq: number; readonly digest: string } | null
  /** Id of the resend request that it answers; not there on a live block. */
  readonly resend?: string
}

const toGzip = promisify(gzip)
const toZstd = promisify(zstdCompress)

/** SHA-256 of the lines of a block, hex. */
export function digestOf(ndjson: Uint8Array): string {
  return createHash('sha256').update(ndjson).digest('hex')
}

/**
 * At least one record, in order of sequence, as the content of a block.
 * @throws RangeError without records
 */
export function contentOf(records: readonly StoredRecord[]): BlockContent {
  const first = records[0]
  const last = records.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('a block holds at least one record')
  return {
    firstSeq: first.seq,
    lastSeq: last.seq,
    ndjson: Buffer.from(`${records.map(({ line }) => line).join('\n')}\n`),
    timestamps: records.map(({ timestamp }) => timestamp),
  }
}

/** Build a block of records that are all of the frame's epoch. */
export async function buildBlock(content: BlockContent, frame: BlockFrame): Promise<Block> {
  const { firstSeq, lastSeq, ndjson, timestamps } = content
  const { recordClass, subject, encoding, epoch, originEpoch, maybeDuplicate, previous, resend } = frame
  const digest = digestOf(ndjson)
  return {
    recordClass,
    subject,
    epoch,
    firstSeq,
    lastSeq,
    timestamps,
    plainBytes: ndjson.length,
    digest,
    maybeDuplicate,
    headers: {
      [BLOCK_HEADERS.contentType]: BLOCK_CONTENT_TYPE,
      [BLOCK_HEADERS.contentEncoding]: encoding,
      [BLOCK_HEADERS.epoch]: epoch,
      [BLOCK_HEADERS.firstSeq]: String(firstSeq),
      [BLOCK_HEADERS.lastSeq]: String(lastSeq),
      [BLOCK_HEADERS.digest]: digest,
      [BLOCK_HEADERS.prevSeq]: String(previous?.lastSeq ?? 0),
      ...(previous === null ? {} : { [BLOCK_HEADERS.prevDigest]: previous.digest }),
      ...(originEpoch === null ? {} : { [BLOCK_HEADERS.originEpoch]: originEpoch }),
      ...(resend === undefined ? {} : { [BLOCK_HEADERS.resend]: resend }),
      ...(maybeDuplicate ? { [BLOCK_HEADERS.maybeDuplicate]: '1' } : {}),
    },
    body: await compress(ndjson, encoding),
  }
}

/** Level 6 and 3: a block goes over a costly link once, so size is worth more than the fraction of a millisecond. */
function compress(plain: Uint8Array, encoding: BlockEncoding): Promise<Buffer> {
  return encoding === 'gzip'
    ? toGzip(plain, { level: 6 })
    : toZstd(plain, { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } })
}
