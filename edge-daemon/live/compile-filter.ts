import { EdgeError } from '../../protocol/errors.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import { compileLogFilter, type LogMatcher } from '../../regex/log-matcher.ts'

/**
 * Make a filter ready, before anything is looked at.
 * @throws EdgeError `PATTERN_INVALID` with what RE2 says of which part of the pattern
 */
export function readyFilter(filter: LogFilter): LogMatcher {
  const compiled = compileLogFilter(filter)
  if (compiled.ok) return compiled.matcher
  const { pattern, message, part } = compiled
  const where =
    part === null || part === pattern
      ? JSON.stringify(pattern)
      : `${JSON.stringify(part)} in ${JSON.stringify(pattern)}`
  throw new EdgeError('PATTERN_INVALID', {
    message: `${message}: ${where}`,
    next: [
      'write it as RE2 takes it: no look-around and no back references',
      'put \\Q and \\E around text that is meant as it stands',
    ],
  })
}
