import type { PlainRecord } from '../../edge-daemon/store/commit.ts'
import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'

/** Unix ms of the first line. */
export const LINES_FROM_MS = 1_793_000_000_000

const SOURCES = ['nginx', 'edge-daemon', 'pods/camera-7', 'journal/ssh"d']
const WORDS = [
  'upstream',
  'timed out',
  'refused',
  'Disk',
  'camera',
  'größe',
  'K42',
  '"quoted"',
  'a=b',
  'tab\there',
  'ok',
]

/** Something to draw from, uniform in [0, 1). */
export type Random = () => number

function one<T>(random: Random, of: readonly T[]): T {
  return of[Math.floor(random() * of.length)] as T
}

/** A log line as a daemon keeps it; errors are in the class that goes up. */
export function logLine(random: Random, n: number): PlainRecord {
  const level: LogLevel = random() < 0.7 ? 'info' : one(random, LOG_LEVELS)
  const msg = Array.from({ length: 1 + Math.floor(random() * 8) }, () => one(random, WORDS)).join(' ')
  const fields =
    random() < 0.5 ? {} : { fields: { camera: Math.floor(random() * 9), host: one(random, WORDS), ok: random() < 0.5 } }
  const body = { level, source: one(random, SOURCES), msg: `${msg} ${n}`, ...fields }
  // Not every writer has the same order.
  const shuffled = random() < 0.1 ? Object.fromEntries(Object.entries(body).reverse()) : body
  const isForwarded = level === 'error' || level === 'fatal'
  return { class: isForwarded ? 'error' : 'log', timestamp: LINES_FROM_MS + n, bodyJson: JSON.stringify(shuffled) }
}
