import type { SampleRecord } from '../protocol/status.ts'
import type { RecordClass } from '../protocol/subjects.ts'
import type { LiveRow, ReadRequest, ReadTopic, RowTopic } from './live/contract.ts'
import { MINUTE_MS, minuteEndOf } from './minute-window.ts'
import type { Store, StoredRecord } from './store/store.ts'

/** Which records a console sees under a topic. */
const CLASSES_OF: Readonly<Record<ReadTopic, readonly RecordClass[]>> = {
  results: ['normal', 'abnormal'],
  alerts: ['alert'],
  logs: ['log', 'error'],
  status: ['sample', 'minute'],
  ledger: ['ledger'],
  stats: ['stat'],
  metrics: ['metric'],
  audit: ['audit'],
}

/** Topic of a record's class; null when consoles do not see it. */
export function topicOf(recordClass: RecordClass): RowTopic | null {
  for (const topic of ['results', 'alerts', 'logs'] as const) if (CLASSES_OF[topic].includes(recordClass)) return topic
  return null
}

/**
 * Read a page of what the store keeps of a topic. Of `status` there are samples for as long as they are kept and minutes
 * before: no time is told twice.
 */
export async function readRows(store: Pick<Store, 'read'>, request: ReadRequest): Promise<readonly LiveRow[]> {
  const { topic, ...range } = request
  return topic === 'status' ? readStatus(store, range) : store.read({ classes: CLASSES_OF[topic], ...range })
}

/** Minutes up to a seam, then the samples behind it; either covers the time from `timestamp − window_ms` to `timestamp`. */
async function readStatus(
  store: Pick<Store, 'read'>,
  range: Omit<ReadRequest, 'topic'>,
): Promise<readonly StoredRecord[]> {
  const { fromMs = 0, toMs = Number.MAX_SAFE_INTEGER, newestFirst } = range
  const seamMs = await seamOf(store)
  const minutes = { ...range, classes: ['minute' as const], toMs: Math.min(toMs, seamMs) }
  const samples = { ...range, classes: ['sample' as const], fromMs: Math.max(fromMs, seamMs + 1) }
  for (const part of newestFirst ? [samples, minutes] : [minutes, samples]) {
    const page = await store.read(part)
    if (page.length > 0) return page
  }
  return []
}

/**
 * The end of a minute (Unix ms) from which on every sample is there. It moves on while samples are evicted: a reader of
 * many pages may get a minute of which it had samples, and sees that by `window_ms`.
 */
async function seamOf(store: Pick<Store, 'read'>): Promise<number> {
  const [oldest] = await store.read({ classes: ['sample'], limit: 1 })
  if (oldest === undefined) return Number.MAX_SAFE_INTEGER
  const endMs = minuteEndOf(oldest.timestamp)
  const [minute] = await store.read({ classes: ['minute'], fromMs: endMs, toMs: endMs, limit: 1 })
  const covered = minute === undefined ? 0 : windowOf(minute)
  const kept = endMs - oldest.timestamp + windowOf(oldest)
  return kept >= covered - SLACK_MS ? endMs - MINUTE_MS : endMs
}

/** A timer is a little late at times, and a window a little longer than the time between two timestamps. */
const SLACK_MS = 1500

function windowOf({ line }: StoredRecord): number {
  return (JSON.parse(line) as SampleRecord).window_ms
}

/** A live row of a record that the disk refused: it has no sequence. */
export function refusedRow(nodeName: string, timestamp: number, body: object): LiveRow {
  return { seq: 0, timestamp, line: JSON.stringify({ seq: 0, node_id: nodeName, timestamp, ...body }) }
}
