import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { BLOCK_HEADERS } from '../../protocol/subjects.ts'
import type { ChainKey, OfferedBlock } from './block-archive.ts'

/** How a body may be compressed, best first. */
export const TAKEN_ENCODINGS = 'zstd, gzip'
/** A body that unpacks to more is refused as too large; a node's blocks are at most 4 MiB before compression. */
const MOST_PLAIN_BYTES = 4 * 1024 * 1024
const toPlainGzip = promisify(gunzip)
const toPlainZstd = promisify(zstdDecompress)

/** A post read as a block, or the status and reason to refuse it with. */
export type ReadOffer =
  | { readonly ok: true; readonly block: OfferedBlock }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly msg: string }

/** Read a post; the body must be what its digest says. `receivedAt` is Unix ms. */
export async function readOffer(headers: IncomingHttpHeaders, body: Buffer, receivedAt: number): Promise<ReadOffer> {
  const key = chainKeyIn(headers)
  const [firstSeq, lastSeq] = [countOf(headers, BLOCK_HEADERS.firstSeq), countOf(headers, BLOCK_HEADERS.lastSeq)]
  const digest = textOf(headers, BLOCK_HEADERS.digest)
  if (key === null || firstSeq === null || lastSeq === null || digest === '' || firstSeq > lastSeq) {
    return { ok: false, status: 400, msg: 'a block names its subject, epoch, sequences and digest' }
  }
  const encoding = textOf(headers, BLOCK_HEADERS.contentEncoding)
  if (!['gzip', 'zstd', ''].includes(encoding)) return { ok: false, status: 415, msg: `${encoding} is not taken` }
  const plain = await unpack(body, encoding)
  if (plain === 'too_large')
    return { ok: false, status: 413, msg: `a block unpacks to ${MOST_PLAIN_BYTES} bytes at most` }
  if (plain === null || createHash('sha256').update(plain).digest('hex') !== digest) {
    return { ok: false, status: 400, msg: 'the body is not what its digest says' }
  }
  return {
    ok: true,
    block: {
      ...key,
      firstSeq,
      lastSeq,
      digest,
      prevSeq: countOf(headers, BLOCK_HEADERS.prevSeq) ?? 0,
      prevDigest: textOf(headers, BLOCK_HEADERS.prevDigest) || null,
      receivedAt,
      headers: keptHeaders(headers),
      body,
    },
  }
}

/** The chain that a request names; null when it names none. */
export function chainKeyIn(headers: IncomingHttpHeaders): ChainKey | null {
  const subject = textOf(headers, BLOCK_HEADERS.subject)
  const epoch = textOf(headers, BLOCK_HEADERS.epoch)
  return subject === '' || epoch === '' ? null : { subject, epoch, resend: textOf(headers, BLOCK_HEADERS.resend) }
}

/** Unpack a body; null when it is not what its encoding says. */
export async function unpack(body: Buffer, encoding: string): Promise<Buffer | 'too_large' | null> {
  try {
    const bound = { maxOutputLength: MOST_PLAIN_BYTES }
    if (encoding === 'gzip') return await toPlainGzip(body, bound)
    return encoding === 'zstd' ? await toPlainZstd(body, bound) : body
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : null
  }
}

function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = ['content-type', 'content-encoding']
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' && (name.startsWith('edge-') || kept.includes(name)) ? [[name, value]] : [],
    ),
  )
}

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name.toLowerCase()]
  return typeof value === 'string' ? value : ''
}

function countOf(headers: IncomingHttpHeaders, name: string): number | null {
  const value = textOf(headers, name)
  return /^\d{1,15}$/.test(value) ? Number(value) : null
}
