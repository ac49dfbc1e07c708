import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'

/** Structured parts of a line; no secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>

/** Where a controller writes what happens: the same lines as a daemon's log, for a service manager to keep. */
export interface ControllerLog {
  log(level: LogLevel, event: string, msg: string, fields?: LogFields): void
}

/** Lines of one event that are written each second; more are counted. */
const PER_SEC = 20
const MAX_FIELD_CHARS = 400

/** One JSON object a line to a stream. A flood of one event is folded into a count. */
export class JsonLog implements ControllerLog {
  readonly #stream: NodeJS.WritableStream
  readonly #leastRank: number
  readonly #windows = new Map<string, { startMs: number; count: number }>()

  constructor(stream: NodeJS.WritableStream, level: LogLevel) {
    this.#stream = stream
    this.#leastRank = LOG_LEVELS.indexOf(level)
  }

  log(level: LogLevel, event: string, msg: string, fields: LogFields = {}): void {
    if (LOG_LEVELS.indexOf(level) < this.#leastRank) return
    const nowMs = performance.now()
    const window = this.#windows.get(event)
    if (window !== undefined && nowMs - window.startMs < 1000) {
      window.count += 1
      if (window.count > PER_SEC) return
    } else {
      const folded = (window?.count ?? 0) - PER_SEC
      if (folded > 0) this.#write(level, event, `${folded} more lines of this event were not shown`, { folded })
      this.#windows.set(event, { startMs: nowMs, count: 1 })
    }
    this.#write(level, event, msg, fields)
  }

  #write(level: LogLevel, event: string, msg: string, fields: LogFields): void {
    const kept = Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === 'string' ? value.slice(0, MAX_FIELD_CHARS) : value,
    ])
    const line = { timestamp: Date.now(), level, source: 'edgedeck-controller', msg: msg.slice(0, 1000) }
    this.#stream.write(`${JSON.stringify({ ...line, fields: { event, ...Object.fromEntries(kept) } })}\n`)
  }
}
