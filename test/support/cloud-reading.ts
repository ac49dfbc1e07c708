import { type CloudBlock, decodeBlock } from '../../src/cloud/block.ts'
import { type Merged, merge } from '../../src/cloud/merge.ts'
import type { NatsFixture } from './nats-server.ts'

/** Every block that a server's stream holds, or that is held of one subject, as a reader in the cloud opens it. */
export async function blocksOf(nats: NatsFixture, region = 'cloud', subject?: string): Promise<CloudBlock[]> {
  const blocks: CloudBlock[] = []
  for (const message of await nats.messages(subject)) {
    const decoded = await decodeBlock({
      region,
      subject: message.subject,
      position: message.seq,
      heldAtMs: message.time.getTime(),
      header: (name) => message.header.get(name),
      body: message.data,
    })
    if (!decoded.ok) throw new Error(decoded.msg)
    blocks.push(decoded.block)
  }
  return blocks
}

/** What a reader makes of it. */
export async function readOf(nats: NatsFixture): Promise<Merged> {
  return merge(await blocksOf(nats))
}

/** Sequences of one class in what was read, rising. */
export function seqsOf(merged: Merged, recordClass = 'abnormal'): number[] {
  return merged.records
    .filter((record) => record.recordClass === recordClass)
    .map(({ seq }) => seq)
    .sort((a, b) => a - b)
}
