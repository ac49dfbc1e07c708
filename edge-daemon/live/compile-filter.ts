import { EdgeError } from '../../protocol/errors.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import { compileLogFilter, type LogMatcher } from '../../regex/log-matcher.ts'

/** Filters that are kept ready, the last that were used. */
const MOST_READY = 64

/** Makes filters ready. Who asks for the same gets the same, which is then held against a row once for all of them. */
export class ReadyFilters {
  readonly #ready = new Map<string, LogMatcher>()

  /** @throws as {@link readyFilter} */
  of(filter: LogFilter): LogMatcher {
    const name = JSON.stringify(filter)
    const matcher = this.#ready.get(name) ?? readyFilter(filter)
    this.#ready.delete(name)
    this.#ready.set(name, matcher)
    const oldest = this.#ready.keys().next().value
    if (this.#ready.size > MOST_READY && oldest !== undefined) this.#ready.delete(oldest)
    return matcher
  }
}

/**
 * Make a filter ready, before anything is looked at.
 * @throws EdgeError `PATTERN_INVALID` with what RE2 says of which part of the pattern
 */
function readyFilter(filter: LogFilter): LogMatcher {
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
