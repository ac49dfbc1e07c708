import type { LogRecord } from '../../protocol/records.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { ContainerEvent } from '../remote/contract.ts'
import { levelOfLine } from './line-level.ts'
import type { StampedLine } from './pod-log-lines.ts'

/** Sequences count tenths of a microsecond from here on: as exact as numbers are for two centuries. */
const EPOCH_SEC = Date.UTC(2020, 0, 1) / 1000
const UNITS_PER_SEC = 10_000_000
const FRACTION = /\.(\d{1,7})/
/** Fields of a JSON line that hold what it says. */
const MESSAGE_FIELDS = ['msg', 'message'] as const
/** Longest line that is looked at as JSON, characters. */
const MAX_JSON_CHARS = 16_384
const MAX_FIELDS = 64

/**
 * Makes records of a container's lines. An API server numbers no lines, so that a line's number is its time; of several that
 * have one time each gets one more than the one before. Where a reading may begin amid such lines (`mayCut`), those are passed over.
 */
export class LineReader {
  readonly #source: string
  #isWaiting: boolean
  #seq = Number.NEGATIVE_INFINITY

  constructor(source: string, mayCut: boolean) {
    this.#source = source
    this.#isWaiting = mayCut
  }

  /** A line as a record; what its node said instead of a line as a note; null for one that is passed over. */
  take({ stamp, atMs, text, cutChars }: StampedLine): ContainerEvent | null {
    if (atMs === null) return { kind: 'note', atMs: Date.now(), text: untrusted(text) }
    const units = unitsOf(stamp, atMs)
    const before = this.#seq
    // A clock that was put back by more than that begins anew.
    this.#seq = units <= before && before - units < UNITS_PER_SEC ? before + 1 : units
    if (this.#isWaiting) {
      const isApart = before !== Number.NEGATIVE_INFINITY && units > before + 1
      if (!isApart) return null
      this.#isWaiting = false
    }
    const { msg, fields } = partsOf(text)
    const record: LogRecord = {
      seq: this.#seq,
      node_id: '',
      timestamp: atMs,
      level: levelOfLine(text),
      source: this.#source,
      msg,
      ...(fields === null ? {} : { fields }),
      ...(cutChars === 0 ? {} : { cut_chars: cutChars }),
    }
    return { kind: 'line', record }
  }
}

function unitsOf(stamp: string, atMs: number): number {
  const fraction = (FRACTION.exec(stamp)?.[1] ?? '').padEnd(7, '0')
  return (Math.floor(atMs / 1000) - EPOCH_SEC) * UNITS_PER_SEC + Number(fraction)
}

/** What a line says, and its fields where it is a JSON object that names the two apart. */
export function partsOf(text: string): { readonly msg: string; readonly fields: LogRecord['fields'] | null } {
  const none = { msg: text, fields: null }
  if (!text.startsWith('{') || text.length > MAX_JSON_CHARS) return none
  let read: Record<string, unknown>
  try {
    read = JSON.parse(text) as Record<string, unknown>
  } catch {
    return none
  }
  const entries = Object.entries(read)
  const said = MESSAGE_FIELDS.find((name) => typeof read[name] === 'string')
  if (said === undefined || entries.length > MAX_FIELDS) return none
  const fields = entries.filter(([name]) => name !== said).map(([name, value]) => [name, fieldOf(value)] as const)
  return { msg: read[said] as string, fields: Object.fromEntries(fields) }
}

function fieldOf(value: unknown): string | number | boolean | null {
  const isPlain = value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return isPlain ? value : JSON.stringify(value)
}
