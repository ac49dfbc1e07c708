import type { LogLevel, LogRecord } from '../../../protocol/records.ts'
import type { LineFormat } from '../../config/followed-logs.ts'
import type { FieldValue } from '../lines/fields.ts'
import { BACKSLASH, BEYOND_ASCII, CONTROL, lookAt, QUOTE } from '../lines/line-look.ts'
import { cleanLine, parseLine } from '../lines/parse-line.ts'
import type { Redactor } from '../lines/redact.ts'
import type { BeforeLines } from './before-lines.ts'
import { classOf, type LineClass } from './line-class.ts'

/** A record on its way into the store. */
export interface Draft {
  readonly class: LineClass
  /** Unix ms. */
  readonly timestamp: number
  readonly body: Omit<LogRecord, 'seq' | 'node_id' | 'timestamp'>
  /** The message is sure to need no escapes in JSON. */
  readonly isBare?: boolean
}

/** A line, put together of its parts, before it is looked into. */
export interface WholeLine {
  readonly text: string
  readonly cutChars: number
  /** When its container's runtime got it, Unix ms; null where nobody noted it. */
  readonly notedAt: number | null
  readonly origin: string
  readonly source: string
  readonly format: LineFormat
  /** What the journal knows of it besides its text: its own time is then the one that counts. */
  readonly noted?: { readonly level: LogLevel; readonly fields: Record<string, FieldValue> | null }
}

/** What makes records of lines. */
export interface RecordMakerOptions {
  readonly forward: LogLevel | 'none'
  /** Most characters of a message, and of all fields together. */
  readonly maxChars: number
  readonly redactor: Redactor
  readonly before: BeforeLines
  readonly wallMs: () => number
}

/** Begin of an object. */
const OPEN = 0x7b
/** How much longer than its line a value may become that is written as JSON anew, and what names count besides. */
const MOST_GROWTH = 6
const MOST_NAME_CHARS = 8192

/** Makes a record of a line: told apart, without secrets, bounded, with the lines before it where it goes up. */
export class RecordMaker {
  readonly #options: RecordMakerOptions

  constructor(options: RecordMakerOptions) {
    this.#options = options
  }

  /**
   * The record of a line. Its time is the one that it tells, else when the runtime noted it, else now.
   * @param seen what {@link lookAt} says of its text
   */
  make({ text, cutChars, notedAt, origin, source, format, noted }: WholeLine, seen = lookAt(text)): Draft {
    const { forward, redactor, before, wallMs, maxChars } = this.#options
    const now = Math.floor(wallMs())
    const isClean = (seen & CONTROL) === 0
    const clean = isClean ? text : cleanLine(text)
    const look = isClean ? seen : lookAt(clean)
    const isHarmless = noted === undefined && redactor.isHarmless(look)
    const parsed = parseLine(clean, format, now)
    const timestamp = (noted === undefined ? parsed.timestamp : null) ?? notedAt ?? now
    const level = levelOf(parsed.level, noted?.level)
    const msg = isHarmless ? parsed.msg : redactor.text(parsed.msg)
    const found = merged(noted?.fields ?? null, parsed.fields)
    const isRoomy = isHarmless && clean.length * MOST_GROWTH + MOST_NAME_CHARS <= maxChars
    const { fields, lostChars } = isRoomy ? { fields: found, lostChars: 0 } : this.#fields(found, isHarmless)
    const cut = cutChars + Math.max(0, msg.length - maxChars) + lostChars
    const kept = msg.length > maxChars ? msg.slice(0, maxChars) : msg
    const lineClass = classOf(level, forward)
    const taken = before.take(source, { timestamp, level, msg: kept, fields }, lineClass)
    const body: Draft['body'] =
      fields === null ? { level, source, msg: kept, origin } : { level, source, msg: kept, fields, origin }
    if (cut > 0) body.cut_chars = cut
    if (taken.length > 0) body.before = [...taken]
    return { class: lineClass, timestamp, body, isBare: isHarmless && isBare(look, clean, msg) }
  }

  #fields(
    found: Record<string, FieldValue> | null,
    isHarmless: boolean,
  ): { fields: Record<string, FieldValue> | null; lostChars: number } {
    if (found === null) return { fields: null, lostChars: 0 }
    let chars = 0
    let lostChars = 0
    const { redactor, maxChars } = this.#options
    for (const name of Object.keys(found)) {
      const value = found[name] ?? null
      const clean = isHarmless ? value : redactor.field(name, value)
      const room = Math.max(0, maxChars - chars)
      if (typeof clean === 'string' && clean.length > room) {
        lostChars += clean.length - room
        found[name] = clean.slice(0, room)
      } else if (clean !== value) found[name] = clean
      chars += name.length + (typeof clean === 'string' ? Math.min(clean.length, room) : 8)
    }
    return { fields: found, lostChars }
  }
}

/**
 * Whether a message is sure to need no escapes. Without a backslash a value of JSON holds no quotes and no controls, and a
 * message that is not the line itself is such a value where the line is an object.
 */
function isBare(look: number, line: string, msg: string): boolean {
  if ((look & (CONTROL | BACKSLASH | BEYOND_ASCII)) !== 0) return false
  return (look & QUOTE) === 0 || (line.charCodeAt(0) === OPEN && msg !== line)
}

/** What a program writes to its output the journal notes as info, whatever it says: then the text decides. */
function levelOf(told: LogLevel | null, noted: LogLevel | undefined): LogLevel {
  return noted === undefined || noted === 'info' ? (told ?? 'info') : noted
}

function merged(
  noted: Record<string, FieldValue> | null,
  told: Record<string, FieldValue> | null,
): Record<string, FieldValue> | null {
  return noted === null || told === null ? (noted ?? told) : { ...told, ...noted }
}
