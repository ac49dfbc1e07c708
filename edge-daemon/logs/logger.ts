import { AsyncLocalStorage } from 'node:async_hooks'
import { LOG_LEVELS, type LogLevel, type LogRecord } from '../../protocol/records.ts'
import { RepeatLimit } from './repeat-limit.ts'
import { RotatedFile } from './rotated-file.ts'

/** Structured parts of a line. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>

/** A line as it is kept: a `LogRecord` before the store gave it a sequence and the node its name. */
export type LogBody = Omit<LogRecord, 'seq' | 'node_id'>

/** What a logger is made of. */
export interface LoggerOptions {
  /** Least severe level that is logged. */
  readonly level: LogLevel
  /** Folder of `edge-daemon.log`; null for no file. */
  readonly dir: string | null
  readonly maxBytes: number
  readonly files: number
  /** Where lines are also written, e.g. `process.stdout` (systemd's journal reads it); null for nowhere. */
  readonly stream: NodeJS.WritableStream | null
  /**
   * Gets each line that passed, to put it into the store. A line logged from within it, or from
   * what it awaits, goes to file and stream alone: a store that fails and says so must not be asked to keep that.
   */
  readonly sink?: (record: LogBody) => void
  readonly clock?: { wallMs(): number; monotonicMs(): number }
}

const SOURCE = 'edge-daemon'
const FILE_NAME = 'edge-daemon.log'
const MAX_MSG_CHARS = 4096
const MAX_FIELD_CHARS = 1024
const MAX_FIELDS = 32
/** Unread output beyond which lines are no longer handed to the stream. */
const MAX_STREAM_BYTES = 1024 * 1024
const SECRET_FIELD = /pass(word|phrase)?|secret|token|credential|authorization|cookie|api_?key|private_?key/i
const SECRET_IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi

/**
 * The daemon's own log: one JSON object a line, to a rotated file, to a stream and, through `sink`, to the store. It never
 * throws and never stops the daemon: lines that a full disk or a closed stream refuses are counted, and the count is
 * logged once lines get through again. More than ten lines a second of one event are folded into a count.
 */
export class Logger {
  readonly #options: LoggerOptions
  readonly #clock: { wallMs(): number; monotonicMs(): number }
  readonly #file: RotatedFile | null
  readonly #repeats = new RepeatLimit()
  readonly #leastRank: number
  #droppedLines = 0
  #unreported = 0
  #streamBroken = false
  readonly #inSink = new AsyncLocalStorage<true>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: LoggerOptions) {
    this.#options = options
    this.#clock = options.clock ?? { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
    this.#leastRank = LOG_LEVELS.indexOf(options.level)
    const { dir, maxBytes, files } = options
    this.#file = dir === null ? null : new RotatedFile({ dir, name: FILE_NAME, maxBytes, files })
  }

  /** Watch the stream for errors, and tell what was folded once a second. */
  start(): void {
    this.#options.stream?.on('error', this.#onStreamError)
    this.#timer ??= setInterval(() => this.#tellFolded(), 1000)
    this.#timer.unref()
  }

  /** Tell what was folded and close the file. Lines logged later still reach stream and file. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#tellFolded(Number.POSITIVE_INFINITY)
    this.#file?.close()
  }

  /** Lines that the file refused since the start. */
  get droppedLines(): number {
    return this.#droppedLines
  }

  debug(event: string, msg?: string, fields?: LogFields): void {
    this.#log('debug', event, msg, fields)
  }

  info(event: string, msg?: string, fields?: LogFields): void {
    this.#log('info', event, msg, fields)
  }

  warn(event: string, msg?: string, fields?: LogFields): void {
    this.#log('warn', event, msg, fields)
  }

  error(event: string, msg?: string, fields?: LogFields): void {
    this.#log('error', event, msg, fields)
  }

  fatal(event: string, msg?: string, fields?: LogFields): void {
    this.#log('fatal', event, msg, fields)
  }

  #log(level: LogLevel, event: string, msg: string | undefined, fields: LogFields | undefined): void {
    if (LOG_LEVELS.indexOf(level) < this.#leastRank) return
    this.#tellFolded()
    if (level !== 'fatal' && !this.#repeats.admit(`${level} ${event}`, this.#clock.monotonicMs())) return
    this.#emit(level, event, msg ?? event, fields)
  }

  #tellFolded(nowMs = this.#clock.monotonicMs()): void {
    for (const { key, count } of this.#repeats.expire(nowMs)) {
      const [level = 'info', event = ''] = key.split(' ')
      const folded = `${count} more lines of this event within a second are not shown`
      this.#emit(LOG_LEVELS.find((known) => known === level) ?? 'info', event, folded, { folded: count })
    }
  }

  #emit(level: LogLevel, event: string, msg: string, fields: LogFields | undefined): void {
    const record: LogBody = {
      timestamp: Math.round(this.#clock.wallMs()),
      level,
      source: SOURCE,
      msg: withoutSecrets(msg).slice(0, MAX_MSG_CHARS),
      fields: { event, ...clean(fields ?? {}) },
    }
    const line = `${JSON.stringify(record)}\n`
    this.#toFile(line)
    this.#toStream(line)
    this.#toSink(record)
  }

  #toFile(line: string): void {
    if (this.#file === null) return
    try {
      this.#file.write(line)
    } catch {
      this.#droppedLines += 1
      this.#unreported += 1
      return
    }
    if (this.#unreported === 0) return
    const lines = this.#unreported
    this.#unreported = 0
    this.#emit('warn', 'log.lines_lost', `the log file refused ${lines} lines and works again`, { lines })
  }

  #toStream(line: string): void {
    const { stream } = this.#options
    if (stream === null || this.#streamBroken) return
    if ('writableLength' in stream && Number(stream.writableLength) > MAX_STREAM_BYTES) return
    try {
      stream.write(line)
    } catch {
      this.#streamBroken = true
    }
  }

  readonly #onStreamError = (error: NodeJS.ErrnoException): void => {
    if (this.#streamBroken) return
    this.#streamBroken = true
    this.#emit('warn', 'log.stream_closed', `nobody reads the output any more (${error.code ?? error.message})`, {})
  }

  #toSink(record: LogBody): void {
    const { sink } = this.#options
    if (sink === undefined || this.#inSink.getStore() === true) return
    try {
      this.#inSink.run(true, sink, record)
    } catch {
      // The store has its own condition and alert for this; logging it here would come straight back.
    }
  }
}

function clean(fields: LogFields): Record<string, string | number | boolean | null> {
  const kept: Record<string, string | number | boolean | null> = {}
  for (const [key, value] of Object.entries(fields).slice(0, MAX_FIELDS)) {
    if (SECRET_FIELD.test(key)) kept[key] = '[secret]'
    else if (typeof value === 'string') kept[key] = withoutSecrets(value).slice(0, MAX_FIELD_CHARS)
    else kept[key] = typeof value === 'number' && !Number.isFinite(value) ? null : value
  }
  return kept
}

/** Cut user and password out of every address in a text. */
function withoutSecrets(text: string): string {
  return text.replace(SECRET_IN_URL, '$1')
}
