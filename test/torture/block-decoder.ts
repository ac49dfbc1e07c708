import { createHash } from 'node:crypto'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { CloudBlock, CloudCopy, CloudRecord } from './evidence.ts'

/** A message or post as an archive holds it; `header` looks a name up without regard to case and gives `''` for none. */
export interface HeldMessage {
  readonly position: number
  readonly subject: string
  readonly header: (name: string) => string
  readonly data: Uint8Array
}

/** What a held message is. */
export type Decoded =
  | { readonly what: 'block'; readonly block: CloudBlock }
  | { readonly what: 'resent'; readonly block: CloudBlock }
  | { readonly what: 'mark' }
  | { readonly what: 'foreign' }
  | { readonly what: 'fault'; readonly msg: string }

const LIVE_KINDS = new Set(['results', 'stats', 'alerts', 'metrics', 'ledger', 'audit', 'logs.error'])
const EPOCH = /^[0-9a-f]{32}$/

/** Read one held message by what the protocol's documents say, and check everything a block says of itself. */
export function decodeMessage(message: HeldMessage): Decoded {
  const { subject, header } = message
  const [root, , node = '', ...tail] = subject.split('.')
  const isResend = tail[0] === 'resend'
  const kind = (isResend ? tail.slice(1) : tail).join('.')
  if (root === 'edge' && tail[0] === 'mark') return { what: 'mark' }
  if (root !== 'edge' || !EPOCH.test(header('Edge-Epoch'))) return { what: 'foreign' }
  if (!isResend && !LIVE_KINDS.has(kind)) return { what: 'fault', msg: `${subject}: no live subject of ours` }
  try {
    const block = decodeBlock(message, node, kind)
    return { what: isResend ? 'resent' : 'block', block }
  } catch (error) {
    return { what: 'fault', msg: `${subject} at ${message.position}: ${(error as Error).message}` }
  }
}

function decodeBlock({ position, subject, header, data }: HeldMessage, node: string, kind: string): CloudBlock {
  const plain = inflate(data, header('Content-Encoding'))
  const digest = createHash('sha256').update(plain).digest('hex')
  if (!digest.startsWith(header('Edge-Digest')) || header('Edge-Digest') === '') throw new Error('its digest is wrong')
  const text = plain.toString('utf8')
  if (!text.endsWith('\n')) throw new Error('its last line does not end')
  const records = text.slice(0, -1).split('\n').map(readRecord)
  const [firstSeq, lastSeq] = [Number(header('Edge-First-Seq')), Number(header('Edge-Last-Seq'))]
  if (records[0]?.seq !== firstSeq || records.at(-1)?.seq !== lastSeq) {
    throw new Error(`it says ${firstSeq} to ${lastSeq} and holds ${records[0]?.seq} to ${records.at(-1)?.seq}`)
  }
  for (const { body } of records) if (body.node_id !== node) throw new Error(`it holds a record of ${body.node_id}`)
  return {
    position,
    subject,
    node,
    kind,
    epoch: header('Edge-Epoch'),
    originEpoch: header('Edge-Origin-Epoch') || null,
    firstSeq,
    lastSeq,
    digest: header('Edge-Digest'),
    prevDigest: header('Edge-Prev-Digest') || null,
    maybeDuplicate: header('Edge-Maybe-Duplicate') === '1',
    records,
  }
}

function inflate(data: Uint8Array, encoding: string): Buffer {
  if (encoding === 'gzip') return gunzipSync(data)
  if (encoding === 'zstd') return zstdDecompressSync(data)
  if (encoding === '' || encoding === 'identity') return Buffer.from(data)
  throw new Error(`its encoding "${encoding}" is unknown`)
}

function readRecord(line: string): CloudRecord {
  const body = JSON.parse(line) as Record<string, unknown>
  if (!Number.isSafeInteger(body.seq)) throw new Error('a record has no sequence')
  return { seq: body.seq as number, line, body }
}

/** What an archive gave back. */
export interface CopyMaker {
  readonly region: string
  readonly messages: readonly HeldMessage[]
  /** Blocks that were there before and were removed on purpose. */
  readonly before?: readonly CloudBlock[]
}

/** Sort everything that an archive holds. */
export function copyOf({ region, messages, before = [] }: CopyMaker): CloudCopy {
  const copy = { blocks: [...before], resent: [] as CloudBlock[], marks: 0, foreign: 0, faults: [] as string[] }
  for (const message of messages) {
    const decoded = decodeMessage(message)
    if (decoded.what === 'fault') copy.faults.push(decoded.msg)
    else if (decoded.what === 'mark') copy.marks += 1
    else if (decoded.what === 'foreign') copy.foreign += 1
    else if (decoded.what === 'block') copy.blocks.push(decoded.block)
    else copy.resent.push(decoded.block)
  }
  return { region, ...copy }
}
