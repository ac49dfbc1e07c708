import { isAtLeast } from '../../../protocol/log-filter.ts'
import type { LogLevel } from '../../../protocol/records.ts'

/** The classes of log records: `error` goes upstream, `log` stays on the node. */
export type LineClass = 'log' | 'error'

/** The class of a line by `logs.forward`. */
export function classOf(level: LogLevel, forward: LogLevel | 'none'): LineClass {
  return forward !== 'none' && isAtLeast(level, forward) ? 'error' : 'log'
}
