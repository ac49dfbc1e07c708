import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'
import { BLOCK_CONTENT_TYPE, BLOCK_HEADERS, type UpstreamClass } from '../../protocol/subjects.ts'
import type { StoredRecord } from '../store/contract.ts'

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

/** Records of one class and epoch on their way up, as every wire carries them. */
export interface Block {
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly records: readonly StoredRecord[]
  /** SHA-256 of the body before compression, hex. */
  readonly digest: string
  /** Headers by name, see `BLOCK_HEADERS`. */
  readonly headers: Readonly<Record<string, string>>
  /** Compressed NDJSON. */
  readonly body: Buffer
}

/** What a block is built with besides its records. */
export interface BlockFrame {
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly encoding: BlockEncoding
  /** The block before on this subject in the same epoch; null when this is the first. */
  readonly previous: { readonly lastSeq: number; readonly digest: string } | null
}

const toGzip = promisify(gzip)
const toZstd = promisify(zstdCompress)

/** The longest run of leading records that share an epoch: a block names one epoch. */
export function sameEpoch(records: readonly StoredRecord[]): readonly StoredRecord[] {
  const end = records.findIndex((record) => record.epoch !== records[0]?.epoch)
  return end === -1 ? records : records.slice(0, end)
}

/**
 * Build a block of at least one record, all of one epoch and in order of sequence.
 * @throws RangeError without records
 */
export async function buildBlock(records: readonly StoredRecord[], frame: BlockFrame): Promise<Block> {
  const first = records[0]
  const last = records.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('a block holds at least one record')
  const plain = Buffer.from(`${records.map((record) => record.line).join('\n')}\n`)
  const digest = createHash('sha256').update(plain).digest('hex')
  return {
    recordClass: frame.recordClass,
    subject: frame.subject,
    epoch: first.epoch,
    firstSeq: first.seq,
    lastSeq: last.seq,
    records,
    digest,
    headers: {
      [BLOCK_HEADERS.contentType]: BLOCK_CONTENT_TYPE,
      [BLOCK_HEADERS.contentEncoding]: frame.encoding,
      [BLOCK_HEADERS.epoch]: first.epoch,
      [BLOCK_HEADERS.firstSeq]: String(first.seq),
      [BLOCK_HEADERS.lastSeq]: String(last.seq),
      [BLOCK_HEADERS.digest]: digest,
      [BLOCK_HEADERS.prevSeq]: String(frame.previous?.lastSeq ?? 0),
      ...(frame.previous === null ? {} : { [BLOCK_HEADERS.prevDigest]: frame.previous.digest }),
    },
    body: await compress(plain, frame.encoding),
  }
}

/** Level 6 and 3: a block goes over a costly link once, so size is worth more than the fraction of a millisecond. */
function compress(plain: Buffer, encoding: BlockEncoding): Promise<Buffer> {
  return encoding === 'gzip'
    ? toGzip(plain, { level: 6 })
    : toZstd(plain, { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } })
}
