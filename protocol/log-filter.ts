import { z } from 'zod'
import { LOG_LEVELS, type LogLevel, logLevelSchema } from './records.ts'

/** How a field is compared: equal, not equal, or matched by a pattern. */
export const FIELD_TESTS = ['=', '!=', '~'] as const

/** Longest pattern, characters; the room `regex` holds the same bound. */
const MAX_PATTERN_CHARS = 256

/**
 * Which log lines somebody wants; all that is said must hold. It runs on the node. Patterns are RE2 and are looked for
 * anywhere in {@link logText}.
 *
 * @example {"level":"warn","sources":["nginx","pods/*"],"pattern":"timeout|refused","ignoreCase":true,"fields":[{"name":"camera","test":"=","value":"7"}]}
 */
export const logFilterSchema = z.object({
  /** Least severe level. */
  level: logLevelSchema.optional(),
  /** Any of these; `*` at the end stands for whatever follows. */
  sources: z.array(z.string().min(1).max(256)).min(1).max(32).optional(),
  pattern: z.string().min(1).max(MAX_PATTERN_CHARS).optional(),
  /** Whether `pattern` is looked for in any case. */
  ignoreCase: z.boolean().optional(),
  /** A line without the field passes `!=` alone. */
  fields: z
    .array(
      z.object({
        name: z.string().min(1).max(256),
        test: z.enum(FIELD_TESTS),
        value: z.string().max(MAX_PATTERN_CHARS),
      }),
    )
    .min(1)
    .max(16)
    .optional(),
})
/** @see logFilterSchema */
export type LogFilter = z.infer<typeof logFilterSchema>

/** What of a log record a filter looks at. */
export interface FilteredLine {
  readonly level: LogLevel
  readonly source: string
  readonly msg: string
  readonly fields?: Readonly<Record<string, string | number | boolean | null>> | undefined
}

/** The text of a line that patterns are looked for in: message, then fields as `name=value`. */
export function logText({ msg, fields }: Pick<FilteredLine, 'msg' | 'fields'>): string {
  if (fields === undefined) return msg
  return [msg, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(' ')
}

/** Whether a level is at least as severe as another. */
export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)
}

/** Whether a source is one of those wanted. */
export function isOfSources(source: string, wanted: readonly string[]): boolean {
  return wanted.some((name) => (name.endsWith('*') ? source.startsWith(name.slice(0, -1)) : source === name))
}
