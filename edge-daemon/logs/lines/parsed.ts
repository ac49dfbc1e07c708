import type { LogLevel } from '../../../protocol/records.ts'
import type { FieldValue } from './fields.ts'

/** What a line tells; null for what it does not. */
export interface ParsedLine {
  /** Unix ms. */
  readonly timestamp: number | null
  readonly level: LogLevel | null
  readonly msg: string
  readonly fields: Record<string, FieldValue> | null
}
