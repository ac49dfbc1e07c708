import type { RecordClass } from '../../protocol/subjects.ts'
import type { PlainRecord } from './commit.ts'
import { type Appended, type NewRecord, WrittenBody } from './contract.ts'
import { ENVELOPE_BYTES } from './line.ts'

/** Most that one commit takes, in characters of its records; calls beyond wait for the next. */
export const MAX_COMMIT_CHARS = 4 * 1024 * 1024
/** Timestamps have 48 bits in a frame. */
const TIMESTAMP_LIMIT = 2 ** 48

/** Classes whose writers try again until a record is kept. */
const TRIED_AGAIN: readonly RecordClass[] = ['stat', 'alert', 'metric', 'ledger', 'audit']

/** Whether a refusal of such a record is a loss. */
export function isLostWhenRefused({ class: recordClass, isTriedAgain }: PlainRecord): boolean {
  return isTriedAgain !== true && !TRIED_AGAIN.includes(recordClass)
}

/** Records of one call ready for the worker and their size in characters, or why they cannot be kept. */
export type Incoming =
  | { readonly ok: true; readonly plain: readonly PlainRecord[]; readonly chars: number }
  | { readonly ok: false; readonly refusal: Extract<Appended, { stored: false }> }

/** Check the records of one call and turn their bodies into JSON. */
export function checkIncoming(records: readonly NewRecord[]): Incoming {
  const plain: PlainRecord[] = []
  let chars = 0
  for (const record of records) {
    const bodyJson = jsonOf(record)
    if (bodyJson === null) {
      const msg = 'a record has no JSON object as its body, or no timestamp in whole Unix ms'
      return { ok: false, refusal: { stored: false, code: 'REQUEST_MALFORMED', msg } }
    }
    const { class: recordClass, timestamp, isTriedAgain } = record
    plain.push({ class: recordClass, timestamp, bodyJson, isTriedAgain })
    chars += bodyJson.length + ENVELOPE_BYTES
  }
  if (chars > MAX_COMMIT_CHARS) {
    const msg = 'the records of one call are over 4 MiB'
    return { ok: false, refusal: { stored: false, code: 'REQUEST_TOO_LARGE', msg } }
  }
  return { ok: true, plain, chars }
}

function jsonOf({ timestamp, body }: NewRecord): string | null {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0 || timestamp >= TIMESTAMP_LIMIT) return null
  if (body instanceof WrittenBody) return body.json
  try {
    const json = JSON.stringify(body)
    return json?.startsWith('{') ? json : null
  } catch {
    return null
  }
}
