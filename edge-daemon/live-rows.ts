import type { RecordClass } from '../protocol/subjects.ts'
import type { LiveRow, ReadRequest, ReadTopic, RowTopic } from './live/contract.ts'
import type { Store } from './store/store.ts'

/** Which records a console sees under a topic. */
const CLASSES_OF: Readonly<Record<ReadTopic, readonly RecordClass[]>> = {
  results: ['normal', 'abnormal'],
  alerts: ['alert'],
  logs: ['log', 'error'],
  status: ['sample', 'minute'],
  ledger: ['ledger'],
  stats: ['stat'],
  metrics: ['metric'],
}

/** Topic of a record's class; null when consoles do not see it. */
export function topicOf(recordClass: RecordClass): RowTopic | null {
  for (const topic of ['results', 'alerts', 'logs'] as const) if (CLASSES_OF[topic].includes(recordClass)) return topic
  return null
}

/** Read a page of what the store keeps of a topic. */
export function readRows(store: Store, { topic, ...request }: ReadRequest): Promise<readonly LiveRow[]> {
  return store.read({ classes: CLASSES_OF[topic], ...request })
}

/** A live row of a record that the disk refused: it has no sequence. */
export function refusedRow(nodeName: string, timestamp: number, body: object): LiveRow {
  return { seq: 0, timestamp, line: JSON.stringify({ seq: 0, node_id: nodeName, timestamp, ...body }) }
}
