import { isAtLeast, type LogFilter } from '../../protocol/log-filter.ts'
import type { StatusBody } from './contract.ts'

type ByClass = StatusBody['store']['byClass']

/**
 * From when on every log line that passes a filter is kept, Unix ms: 0 where none was let go, `nowMs` where all were. Lines at
 * level `error` and above are kept apart and longer.
 */
export function keptFromMs(byClass: ByClass, filter: LogFilter | undefined, nowMs: number): number {
  const isOfErrors = filter?.level !== undefined && isAtLeast(filter.level, 'error')
  const parts = [byClass?.error, isOfErrors ? undefined : byClass?.log]
  return Math.max(0, ...parts.map((part) => (part === undefined || part.evicted === 0 ? 0 : (part.oldestAt ?? nowMs))))
}
