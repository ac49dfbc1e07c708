import type { LogLevel } from '../../../protocol/records.ts'
import { lookAt } from '../lines/line-look.ts'
import { KeyBlocks, type Redactor } from '../lines/redact.ts'
import { REDACTED } from '../lines/secrets.ts'
import { BeforeLines } from './before-lines.ts'
import type { Collector, Progress } from './collector.ts'
import type { FollowSettings } from './contract.ts'
import type { Place } from './file-place.ts'
import type { FollowedFile } from './followed-file.ts'
import type { Joined } from './joiner.ts'
import { classOf, type LineClass } from './line-class.ts'
import { formatOrigin, type Lane, markKey } from './origin.ts'
import { type Draft, RecordMaker, type WholeLine } from './record-maker.ts'
import type { SeriesOptions } from './series.ts'

/** What lines are called and how they are written. */
export type LineNaming = Pick<SeriesOptions, 'source' | 'format'>

/** Takes lines of files on into the collector: skips what is kept already, makes records of the rest. */
export class LineReader {
  readonly #collector: Collector
  readonly #maker: RecordMaker
  readonly #redactor: Redactor
  readonly #before: BeforeLines
  readonly #forward: LogLevel | 'none'
  readonly #forwardBefore: LogLevel | 'none'
  readonly #wallMs: () => number
  readonly #keys = new Map<string, KeyBlocks>()
  #lines = 0

  /** @param forwardBefore `logs.forward` as it was when the checkpoint was written */
  constructor(
    { forward, before, maxLineBytes }: Pick<FollowSettings, 'forward' | 'before' | 'maxLineBytes'>,
    parts: {
      readonly collector: Collector
      readonly redactor: Redactor
      readonly forwardBefore: LogLevel | 'none'
      readonly wallMs: () => number
    },
  ) {
    this.#collector = parts.collector
    this.#redactor = parts.redactor
    this.#before = new BeforeLines(before)
    this.#forward = forward
    this.#forwardBefore = parts.forwardBefore
    this.#wallMs = parts.wallMs
    const { redactor, wallMs } = parts
    this.#maker = new RecordMaker({ forward, maxChars: maxLineBytes, redactor, before: this.#before, wallMs })
  }

  /** Lines that became records. */
  get lines(): number {
    return this.#lines
  }

  /** Take a line of a file. An empty one is none. */
  take(file: FollowedFile, { source, format }: LineNaming, { lane, text, cutChars, notedAt, place }: Joined): void {
    // A character of ASCII that is no blank is enough.
    const first = text.charCodeAt(0)
    if (!(first > 0x20 && first < 0x7f) && text.trim() === '') return
    const origin = formatOrigin({ file: file.id, lane, ...place })
    const draft = this.draft(lane === '' ? file.id : file.id + lane, {
      text,
      cutChars,
      notedAt,
      origin,
      source,
      format,
    })
    if (file.isKept(lane, this.classBefore(draft), place.end)) return
    this.add(draft, file, markKey(lane, draft.class), place)
  }

  /** The record of a line; `stream` names what it and the lines around it come from. */
  draft(stream: string, line: WholeLine): Draft {
    const look = lookAt(line.text)
    if (this.#keysOf(stream).take(line.text, look) === 'whole') return this.#maker.make(line, look)
    const text = this.#redactedLine()
    return this.#maker.make({ ...line, text }, lookAt(text))
  }

  /** Add a record that is not kept yet. */
  add(draft: Draft, progress: Progress, key: string, place: Place): void {
    this.#lines += 1
    this.#collector.add(draft, progress, key, place)
  }

  /** The class that a record was kept as by an earlier run. */
  classBefore({ body }: Draft): LineClass {
    return classOf(body.level, this.#forwardBefore)
  }

  /** A record of what was lost of a file; once, as any line is. */
  lost(file: FollowedFile, source: string, { bytes, upTo, why }: { bytes: number; upTo: number; why: string }): void {
    const lane: Lane = 'L'
    const lineClass = classOf('warn', this.#forward)
    if (file.isKept(lane, classOf('warn', this.#forwardBefore), upTo)) return
    const place = { end: upTo, check: 0 }
    const timestamp = Math.floor(this.#wallMs())
    const msg = `${bytes} bytes of ${file.path} were not read: ${why}`
    const body = { level: 'warn' as const, source, msg, fields: { lost_bytes: bytes, path: file.path } }
    const origin = formatOrigin({ file: file.id, lane, ...place })
    this.#collector.add(
      { class: lineClass, timestamp, body: { ...body, origin } },
      file,
      markKey(lane, lineClass),
      place,
    )
  }

  /** Nothing more comes of a file. */
  forget(file: FollowedFile): void {
    for (const lane of ['', 'O', 'E']) this.#keys.delete(file.id + lane)
  }

  #redactedLine(): string {
    this.#redactor.counted()
    return REDACTED
  }

  #keysOf(name: string): KeyBlocks {
    let keys = this.#keys.get(name)
    if (keys === undefined) {
      keys = new KeyBlocks()
      this.#keys.set(name, keys)
    }
    return keys
  }
}
