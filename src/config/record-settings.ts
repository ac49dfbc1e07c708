import { z } from 'zod'
import { compileRegex } from '../../regex/linear-regex.ts'
import { parseSizeBytes } from '../../settings/units.ts'

/** How sessions on nodes are recorded. */
export interface RecordSettings {
  /** Record what is typed as well: passwords too, which no terminal shows. */
  readonly input: boolean
  /** Largest recording, bytes; what comes after it is counted. */
  readonly maxBytes: number
  /** RE2 patterns of what is hidden in recordings, besides what is always. */
  readonly redact: readonly string[]
}

/** Names of {@link RecordSettings}. */
export const RECORD_KEYS = ['input', 'maxBytes', 'redact'] as const
const DEFAULT_MAX_BYTES = 50_000_000
const LEAST_BYTES = 64_000

const maxBytes = z
  .string({ error: 'expected a size such as "50MB"' })
  .transform((text, context) => {
    const bytes = parseSizeBytes(text)
    if (bytes !== null && bytes >= LEAST_BYTES) return bytes
    context.addIssue({ code: 'custom', message: 'expected a size of 64KB or more, such as "50MB"' })
    return z.NEVER
  })
  .default(DEFAULT_MAX_BYTES)

const pattern = z.string().superRefine((text, context) => {
  const compiled = compileRegex(text)
  if (!compiled.ok) context.addIssue({ code: 'custom', message: `this is no RE2 pattern: ${compiled.message}` })
})

/** `record:` of the console's configuration. */
export const recordSettings = z
  .strictObject({
    input: z.boolean({ error: 'expected true or false' }).default(false),
    maxBytes,
    redact: z.array(pattern).max(100).default([]),
  })
  .default({ input: false, maxBytes: DEFAULT_MAX_BYTES, redact: [] })
