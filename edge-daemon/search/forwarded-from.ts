import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../../durable/durable-file.ts'
import { isAtLeast } from '../../protocol/log-filter.ts'
import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import type { RecordClass } from '../../protocol/subjects.ts'

/** Level from which on lines are kept in the class that goes up; null when there may be lines of every level in the other. */
export type ForwardedFrom = LogLevel | null

const FILE = 'log-classes.json'
/** What the daemon's own lines are kept by, and what every line was before this could be set. */
const LEAST: LogLevel = 'error'

/**
 * The highest `logs.forward` that this node was ever run with: from that level on every kept line is in the class that goes
 * up, whatever was set when it was kept. It is remembered beside the store. Never throws: where it cannot be read or
 * written, nothing is relied on.
 *
 * @param forward the setting now
 */
export function forwardedFrom(stateDir: string, forward: LogLevel | 'none'): ForwardedFrom {
  const path = join(stateDir, FILE)
  try {
    const known = read(path)
    const now = forward === 'none' ? null : forward
    const from = known === null || now === null ? null : highest([LEAST, known, now])
    if (known !== from) {
      replaceFile(path, `${JSON.stringify({ forwardedFrom: from })}\n`, { isSole: true })
    }
    return from
  } catch {
    return null
  }
}

/** The classes in which lines of a level and above may be kept, those that go up first: there are fewest of them. */
export function classesFor(level: LogLevel | undefined, from: ForwardedFrom): readonly RecordClass[] {
  return level !== undefined && from !== null && isAtLeast(level, from) ? ['error'] : ['error', 'log']
}

/** What is remembered; `error` where nothing is yet. @throws when the file cannot be read or understood */
function read(path: string): ForwardedFrom {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return LEAST
    throw error
  }
  const { forwardedFrom: from }: { forwardedFrom?: unknown } = JSON.parse(text)
  const level = LOG_LEVELS.find((name) => name === from)
  if (level === undefined && from !== null) throw new Error(`${path} names no level`)
  return level ?? null
}

function highest(levels: readonly LogLevel[]): LogLevel {
  return levels.reduce((a, b) => (isAtLeast(b, a) ? b : a))
}
