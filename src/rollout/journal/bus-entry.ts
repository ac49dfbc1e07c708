import { gunzipSync, gzipSync } from 'node:zlib'
import type { JournalEntry } from '../contract.ts'
import { decodeEntry, encodeEntry, MAX_ENTRY_BYTES } from './entry-text.ts'

/** Entries from this length on are compressed: plans of many nodes are under the largest message of a bus then. */
const COMPRESS_FROM_BYTES = 4096

/** An entry as a message. */
export interface EntryMessage {
  readonly data: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** Write an entry as a message. @throws TypeError as {@link encodeEntry} */
export function entryMessage(entry: JournalEntry): EntryMessage {
  const bytes = Buffer.from(encodeEntry(entry))
  if (bytes.length < COMPRESS_FROM_BYTES) return { data: bytes, headers: {} }
  return { data: gzipSync(bytes), headers: { 'Content-Encoding': 'gzip' } }
}

/** Read a message of a journal; why it is no entry, without quoting it. */
export function readEntryMessage(data: Uint8Array, encoding: string): JournalEntry | string {
  try {
    const bytes = encoding === 'gzip' ? gunzipSync(data, { maxOutputLength: MAX_ENTRY_BYTES }) : Buffer.from(data)
    return decodeEntry(bytes.toString('utf8'))
  } catch {
    return 'it cannot be unpacked'
  }
}
