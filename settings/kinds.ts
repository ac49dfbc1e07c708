import { parseDurationMs, parseSizeBytes } from './units.ts'

/** Outcome of reading one raw value, from a file or a variable. */
export type Read<T> = { ok: true; value: T } | { ok: false; message: string; at?: FaultPlace }

/** Where in a value that has parts the fault is: the part, and how many characters into its text. */
export interface FaultPlace {
  readonly path: readonly PropertyKey[]
  readonly offset: number
}

/** How one kind of setting is read from YAML or from the text of an environment variable, and shown again. */
export interface Kind<T> {
  read(raw: unknown): Read<T>
  /** The value as a person would write it, but for user and password in an address. */
  show(value: T): string
}

const ok = <T>(value: T): Read<T> => ({ ok: true, value })
const wrong = (expected: string, raw: unknown): Read<never> => ({
  ok: false,
  message: `expected ${expected}, found ${withoutCredentials(JSON.stringify(raw) ?? 'nothing')}`,
})

/** User and password of every address in a text, which must not come out with it. */
function withoutCredentials(text: string): string {
  return text.replace(/(\/\/)[^/\s@"]+@/g, '$1***@')
}

/** Non-empty text of at most `maxChars`. */
export function text({ maxChars = 4096 }: { maxChars?: number } = {}): Kind<string> {
  return {
    read: (raw) => {
      if (typeof raw !== 'string' || raw.trim() === '') return wrong('a text that is not empty', raw)
      return raw.length <= maxChars ? ok(raw.trim()) : wrong(`a text of at most ${maxChars} characters`, raw)
    },
    show: (value) => value,
  }
}

/** Text or nothing; an empty text is nothing. */
export function optionalText(): Kind<string | null> {
  return {
    read: (raw) => {
      if (raw === null || raw === '') return ok(null)
      return typeof raw === 'string' ? ok(raw.trim()) : wrong('a text', raw)
    },
    show: (value) => value ?? 'null',
  }
}

/** An http or https address, or nothing. */
export function optionalUrl(): Kind<string | null> {
  return {
    read: (raw) => {
      if (raw === null || raw === '') return ok(null)
      const usable = typeof raw === 'string' && /^https?:$/.test(URL.parse(raw)?.protocol ?? '')
      return usable ? ok(raw) : wrong('an address such as "http://host:9100/metrics"', raw)
    },
    show: (value) => withoutCredentials(value ?? 'null'),
  }
}

/** A list of texts; in a variable, separated by commas. */
export function textList(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const list = typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : raw
      if (!Array.isArray(list) || list.some((part) => typeof part !== 'string')) return wrong('a list of texts', raw)
      return ok(list.filter((part: string) => part !== ''))
    },
    show: (value) => withoutCredentials(JSON.stringify(value)),
  }
}

/** `host:port`; `:port` means every address. */
export function address(): Kind<{ readonly host: string; readonly port: number }> {
  return {
    read: (raw) => {
      const match = typeof raw === 'string' ? /^(\[[^\]]+\]|[^:]*):(\d{1,5})$/.exec(raw) : null
      const port = Number(match?.[2])
      if (!match || port > 65_535) return wrong('an address such as "127.0.0.1:5000"', raw)
      return ok({ host: (match[1] || '0.0.0.0').replace(/^\[|\]$/g, ''), port })
    },
    show: ({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`,
  }
}

/** A number in a range. */
export function number(range: { min: number; max: number; integer?: boolean }): Kind<number> {
  const expected = `${range.integer ? 'a whole number' : 'a number'} from ${range.min} to ${range.max}`
  return {
    read: (raw) => {
      const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw
      const fits = typeof value === 'number' && value >= range.min && value <= range.max
      return fits && (!range.integer || Number.isInteger(value)) ? ok(value) : wrong(expected, raw)
    },
    show: String,
  }
}

/** A number or nothing. */
export function optionalNumber(range: { min: number; max: number }): Kind<number | null> {
  const given = number(range)
  return {
    read: (raw) => (raw === null || raw === '' || raw === 'null' ? ok(null) : given.read(raw)),
    show: String,
  }
}

/** A duration, in milliseconds. */
export function duration(range: { minMs: number; maxMs: number }): Kind<number> {
  return {
    read: (raw) => {
      const value = typeof raw === 'string' ? parseDurationMs(raw) : null
      if (value === null) return wrong('a duration with its unit, such as "30s" or "5m"', raw)
      if (value < range.minMs || value > range.maxMs) {
        return wrong(`a duration from ${showDuration(range.minMs)} to ${showDuration(range.maxMs)}`, raw)
      }
      return ok(value)
    },
    show: showDuration,
  }
}

/** A size, in bytes. */
export function size(range: { minBytes: number; maxBytes: number }): Kind<number> {
  return {
    read: (raw) => {
      const value = typeof raw === 'string' ? parseSizeBytes(raw) : null
      if (value === null) return wrong('a size with its unit, such as "10MB" or "64KiB"', raw)
      if (value < range.minBytes || value > range.maxBytes) {
        return wrong(`a size from ${showSize(range.minBytes)} to ${showSize(range.maxBytes)}`, raw)
      }
      return ok(value)
    },
    show: showSize,
  }
}

/** The same, or nothing: `null` in a file, `none` in a variable. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return {
    read: (raw) => (raw === null || raw === 'none' ? ok(null) : kind.read(raw)),
    show: (value) => (value === null ? 'none' : kind.show(value)),
  }
}

/** One of a few words. */
export function oneOf<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    read: (raw) => (words.includes(raw as T) ? ok(raw as T) : wrong(`one of ${words.join(', ')}`, raw)),
    show: (value) => value,
  }
}

/** True or false. */
export function flag(): Kind<boolean> {
  return {
    read: (raw) => {
      if (raw === true || raw === 'true') return ok(true)
      return raw === false || raw === 'false' ? ok(false) : wrong('true or false', raw)
    },
    show: String,
  }
}

/** A duration as a person would write it. */
export function showDuration(ms: number): string {
  for (const [unit, factor] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`
  }
  return `${ms}ms`
}

function showSize(bytes: number): string {
  const units = [
    ['GB', 1e9],
    ['GiB', 2 ** 30],
    ['MB', 1e6],
    ['MiB', 2 ** 20],
    ['KB', 1e3],
    ['KiB', 1024],
  ] as const
  for (const [unit, factor] of units) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}
