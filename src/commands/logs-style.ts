/** Forms that log lines are printed in; `raw` is the message alone. */
export const LOG_FORMATS = ['table', 'json', 'ndjson', 'raw'] as const
/** @see LOG_FORMATS */
export type LogFormat = (typeof LOG_FORMATS)[number]

/** How log lines are printed. */
export interface LogStyle {
  readonly format: LogFormat
  readonly fields: 'none' | 'inline' | 'expanded'
  readonly time: 'local' | 'utc'
}
