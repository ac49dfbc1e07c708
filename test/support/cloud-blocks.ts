import { createHash } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { jetstream } from '@nats-io/jetstream'
import { connect, headers as newHeaders } from 'nats'
import { BLOCK_HEADERS, resendSubjectOf, subjectOf, type UpstreamClass } from '../../protocol/subjects.ts'
import type { CloudBlock, CloudRecord, RawBlock } from '../../src/cloud/block.ts'

/** A record as a node keeps it; the first of its class by default. */
export function cloudRecord(seq: number, body: object = { code: 200 }, node = 'n1'): CloudRecord {
  const timestamp = 1_793_000_000_000 + seq * 1000
  return { seq, timestamp, line: JSON.stringify({ seq, node_id: node, timestamp, ...body }) }
}

/** A decoded block of the given records; `change` alters what is not told by them. */
export function cloudBlock(records: readonly CloudRecord[], change: Partial<CloudBlock> = {}): CloudBlock {
  return {
    site: 'plant',
    node: 'n1',
    recordClass: 'abnormal',
    resent: false,
    region: 'east',
    position: records[0]?.seq ?? 0,
    heldAtMs: 1_793_000_000_000,
    epoch: 'e1',
    originEpoch: null,
    firstSeq: records[0]?.seq ?? 0,
    lastSeq: records.at(-1)?.seq ?? 0,
    prevSeq: null,
    maybeDuplicate: false,
    records,
    ...change,
  }
}

/** How {@link encodeBlock} encodes. */
export interface EncodedBlock {
  readonly subject: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A block as a node sends it, independent of the daemon's own code. */
export function encodeBlock(block: CloudBlock, encoding: 'gzip' | 'zstd' = 'zstd'): EncodedBlock {
  const plain = Buffer.from(block.records.map(({ line }) => `${line}\n`).join(''))
  const recordClass = block.recordClass as UpstreamClass
  return {
    subject: block.resent ? resendSubjectOf(block, recordClass) : subjectOf(block, recordClass),
    headers: {
      [BLOCK_HEADERS.contentEncoding]: encoding,
      [BLOCK_HEADERS.epoch]: block.epoch,
      [BLOCK_HEADERS.firstSeq]: String(block.firstSeq),
      [BLOCK_HEADERS.lastSeq]: String(block.lastSeq),
      [BLOCK_HEADERS.digest]: createHash('sha256').update(plain).digest('hex'),
      ...(block.prevSeq === null ? {} : { [BLOCK_HEADERS.prevSeq]: String(block.prevSeq) }),
      ...(block.originEpoch === null ? {} : { [BLOCK_HEADERS.originEpoch]: block.originEpoch }),
      ...(block.maybeDuplicate ? { [BLOCK_HEADERS.maybeDuplicate]: '1' } : {}),
    },
    body: encoding === 'gzip' ? gzipSync(plain) : zstdCompressSync(plain),
  }
}

/** A block as a stream hands it over. */
export function rawBlock({ subject, headers, body }: EncodedBlock, change: Partial<RawBlock> = {}): RawBlock {
  return {
    region: 'east',
    subject,
    position: 1,
    heldAtMs: 1_793_000_000_000,
    header: (name) => headers[name] ?? null,
    body,
    ...change,
  }
}

/** Publish blocks to a server's stream, one after the other. */
export async function publishBlocks(
  { url }: { readonly url: string },
  ...blocks: readonly (CloudBlock | EncodedBlock)[]
): Promise<void> {
  const connection = await connect({ servers: url })
  try {
    for (const block of blocks) {
      const { subject, headers, body } = 'records' in block ? encodeBlock(block) : block
      const messageHeaders = newHeaders()
      for (const [name, value] of Object.entries(headers)) messageHeaders.set(name, value)
      await jetstream(connection).publish(subject, body, { headers: messageHeaders })
    }
  } finally {
    await connection.close()
  }
}
