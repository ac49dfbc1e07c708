import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { NewRecord, Store } from '../../edge-daemon/store/contract.ts'
import type { UpstreamLog } from '../../edge-daemon/upstream/log.ts'
import { Uplink, type UplinkOptions } from '../../edge-daemon/upstream/uplink.ts'
import { UplinkPacer } from '../../edge-daemon/upstream/uplink-pacer.ts'
import type { Wire } from '../../edge-daemon/upstream/wire.ts'
import type { UpstreamClass } from '../../protocol/subjects.ts'

/** A log that keeps what it was told. */
export function keptLog(): UpstreamLog & { readonly lines: string[] } {
  const lines: string[] = []
  const keep =
    (level: string) =>
    (event: string, msg = ''): void => {
      lines.push(`${level} ${event} ${msg}`)
    }
  return { lines, info: keep('info'), warn: keep('warn') }
}

/** An uplink with small blocks that `await using` stops. */
export function uplinkOf(
  store: Store,
  wire: Wire,
  options: Partial<UplinkOptions> = {},
): { uplink: Uplink; log: ReturnType<typeof keptLog>; [Symbol.asyncDispose](): Promise<void> } {
  const log = keptLog()
  const uplink = new Uplink({
    name: 'cloud',
    origin: { site: 'plant', node: 'n1' },
    encoding: 'gzip',
    blockBytes: 4096,
    pacer: new UplinkPacer({ capBytesPerSec: null, leftBytes: () => 0 }),
    store,
    wire,
    log,
    ...options,
  })
  return { uplink, log, [Symbol.asyncDispose]: () => uplink.stop() }
}

/** `count` records of one class, each of about `sizeBytes`. */
export function someRecords(recordClass: UpstreamClass, count: number, sizeBytes = 120): NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    class: recordClass,
    timestamp: Date.now(),
    body: { code: 200, n: index, msg: 'x'.repeat(sizeBytes) },
  }))
}

/** The sequences in a compressed block. */
export function seqsIn(body: Uint8Array, encoding: string | undefined): number[] {
  const plain = encoding === 'zstd' ? zstdDecompressSync(body) : gunzipSync(body)
  return plain
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { seq: number }).seq)
}
