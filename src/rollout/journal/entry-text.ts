import { z } from 'zod'
import type { JournalEntry } from '../contract.ts'
import { eventSchema } from './event-schema.ts'

/** Longest entry that is read, bytes: the start of a rollout on 20 000 nodes. */
export const MAX_ENTRY_BYTES = 32 * 1024 * 1024

const entrySchema = z.object({ seq: z.int().positive(), event: eventSchema })

/**
 * An entry as it is kept, JSON.
 * @throws TypeError for one that nobody could read back: it must not be kept, or the rollout could never go on
 */
export function encodeEntry(entry: JournalEntry): string {
  const text = JSON.stringify(entry)
  const read = text.length > MAX_ENTRY_BYTES / 4 ? 'it is far too long' : decodeEntry(text)
  if (typeof read === 'string') throw new TypeError(`an event ${entry.event.type} cannot be kept: ${read}`)
  return text
}

/** Inverse of {@link encodeEntry}; why it is none, without quoting it. */
export function decodeEntry(text: string): JournalEntry | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  const read = entrySchema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  return `it is no entry that this edgedeck knows (${issue?.path.slice(0, 4).join('.') ?? ''}: ${issue?.code ?? ''})`
}
