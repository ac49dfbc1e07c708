import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { CloudBlock } from './block.ts'
import { type Merged, merge } from './merge.ts'
import { CLOCK_MARGIN_MS, type StreamQuery, StreamReader } from './stream-reader.ts'

/** What reading one region came to. */
export interface RegionReport {
  readonly name: string
  /** Why it could not be read, or not to the end; null when it was. */
  readonly error: EdgeError | null
  readonly blocks: number
  readonly records: number
  /** Messages that are no blocks, and why the first was none. */
  readonly unreadable: number
  readonly firstUnreadable: string | null
}

/** What all regions hold of a node in a time range. */
export interface CloudRange extends Merged {
  readonly regions: readonly RegionReport[]
  /** More is held than was taken: the range is to be narrowed, and what seems to be missing may be there. */
  readonly truncated: boolean
}

/** Bounds of a read. */
export interface CloudRangeOptions {
  /** For connecting and for each answer, ms. */
  readonly timeoutMs?: number
  /** Most bytes of records to take from a region. */
  readonly maxBytes?: number
}

const MAX_BYTES = 256 * 1024 * 1024

/**
 * Read what every region holds of a node, all regions at once, and merge it. A region that cannot be read is told in the
 * outcome and spoils nothing of the others. Never rejects for a region; an aborted signal ends it with what came.
 */
export async function readClouds(
  clouds: readonly CloudAddress[],
  query: StreamQuery,
  signal: AbortSignal,
  options: CloudRangeOptions = {},
): Promise<CloudRange> {
  const reads = await Promise.all(clouds.map((cloud) => readRegion(cloud, query, signal, options)))
  const { fromMs, toMs, marginMs = CLOCK_MARGIN_MS } = query
  const merged = merge(
    reads.flatMap((read) => read.blocks),
    { fromStart: fromMs - marginMs <= 0 },
  )
  return {
    ...merged,
    records: merged.records.filter(({ timestamp }) => timestamp >= fromMs && timestamp <= toMs),
    gaps: merged.gaps.filter((gap) => gap.fromMs <= toMs && gap.toMs >= fromMs),
    regions: reads.map((read) => read.report),
    truncated: reads.some((read) => read.truncated),
  }
}

async function readRegion(
  cloud: CloudAddress,
  query: StreamQuery,
  signal: AbortSignal,
  { timeoutMs, maxBytes = MAX_BYTES }: CloudRangeOptions,
): Promise<{ blocks: CloudBlock[]; report: RegionReport; truncated: boolean }> {
  const blocks: CloudBlock[] = []
  let error: EdgeError | null = null
  let bytes = 0
  let records = 0
  let unreadable = 0
  let firstUnreadable: string | null = null
  try {
    const reader = await StreamReader.open(cloud, timeoutMs)
    try {
      for await (const item of reader.read(query, signal)) {
        if (item.kind === 'unreadable') {
          unreadable += 1
          firstUnreadable ??= `message ${item.position}: ${item.msg}`
          continue
        }
        blocks.push(item.block)
        records += item.block.records.length
        bytes += item.block.records.reduce((sum, { line }) => sum + line.length, 0)
        if (bytes > maxBytes) break
      }
    } finally {
      await reader.close()
    }
  } catch (caught) {
    error = asEdgeError(cloud, caught)
  }
  const report = { name: cloud.name, error, blocks: blocks.length, records, unreadable, firstUnreadable }
  return { blocks, report, truncated: bytes > maxBytes }
}

function asEdgeError(cloud: CloudAddress, caught: unknown): EdgeError {
  if (caught instanceof EdgeError) return caught
  return new EdgeError('CLOUD_UNREACHABLE', { message: `${cloud.name}: ${messageOf(caught)}`, cause: caught })
}
