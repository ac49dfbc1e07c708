import { z } from 'zod'

/**
 * A recording of a terminal session: asciicast v2 (docs.asciinema.org/manual/asciicast/v2), NDJSON with a header and an
 * event a line, `[seconds since the start, code, data]`. `o` is output, `i` what was typed, `r` a new size (`120x40`), `m` a
 * remark of ours, `x` the end (`0`, or why there is no exit code). The header's `edgedeck` says whose session it was.
 */
export interface CastHeader {
  readonly width: number
  readonly height: number
  /** Start, Unix ms. */
  readonly startedMs: number
  readonly title: string
  readonly term: string
  readonly about: CastAbout
}

/** Whose session it was: all of it is in the header as `edgedeck`. */
export interface CastAbout {
  readonly context: string
  readonly node: string
  readonly where: string
  readonly who: string
  readonly why: string | null
  /** What was typed is recorded too. */
  readonly input: boolean
}

/** Codes of {@link CastEvent}. */
export type CastCode = 'o' | 'i' | 'r' | 'm' | 'x'

/** Something that happened; `atMs` since the start. */
export interface CastEvent {
  readonly atMs: number
  readonly code: CastCode
  readonly data: string
}

const text = z.string().max(500)
const cells = z.int().min(1).max(10_000)
const headerSchema = z.object({
  version: z.literal(2),
  width: cells,
  height: cells,
  timestamp: z.number().nonnegative().max(1e11).default(0),
  title: text.default(''),
  env: z.object({ TERM: text.default('') }).default({ TERM: '' }),
  edgedeck: z
    .object({
      context: text,
      node: text,
      where: text,
      who: text,
      why: text.nullable().default(null),
      input: z.boolean().default(false),
    })
    .nullable()
    .default(null),
})
const eventSchema = z.tuple([z.number().nonnegative().max(1e9), z.enum(['o', 'i', 'r', 'm', 'x']), z.string()])

/** A header as it was read; `about` is null in recordings of other programs. */
export type ReadHeader = Omit<CastHeader, 'about'> & { readonly about: CastAbout | null }

/** The first line of a recording. */
export function headerLine({ width, height, startedMs, title, term, about }: CastHeader): string {
  const header = { version: 2, width, height, timestamp: Math.floor(startedMs / 1000), title, env: { TERM: term } }
  return `${JSON.stringify({ ...header, edgedeck: about })}\n`
}

/** A later line. */
export function eventLine({ atMs, code, data }: CastEvent): string {
  return `${JSON.stringify([Math.round(atMs * 1000) / 1_000_000, code, data])}\n`
}

/** Read a first line; null when it is none. Texts may come from anybody: make them safe before they are shown. */
export function readHeader(line: string): ReadHeader | null {
  const parsed = headerSchema.safeParse(jsonOf(line))
  if (!parsed.success) return null
  const { width, height, timestamp, title, env, edgedeck } = parsed.data
  return { width, height, startedMs: Math.round(timestamp * 1000), title, term: env.TERM, about: edgedeck }
}

/** Read a later line; null when it is none, as the last line of a recording that was cut off. */
export function readEvent(line: string): CastEvent | null {
  const parsed = eventSchema.safeParse(jsonOf(line))
  if (!parsed.success) return null
  const [seconds, code, data] = parsed.data
  return { atMs: seconds * 1000, code, data }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
