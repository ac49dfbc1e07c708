import type { LineClass } from './line-class.ts'

/** Where a record stood in what is followed: a file (its own name here), a lane of it, the end of its last line. */
export interface Origin {
  readonly file: string
  /** A container writes two streams into one file: `O` and `E`. `L` are notes of what was lost; empty for all else. */
  readonly lane: Lane
  /** Offset behind its last line. */
  readonly end: number
  /** {@link checkOf} that line. */
  readonly check: number
}

/** @see Origin.lane */
export type Lane = '' | 'O' | 'E' | 'L'

/** Made once: a text that is put together for each line must be hashed for each as well. */
const MARK_KEYS = Object.fromEntries(
  (['', 'O', 'E', 'L'] as const).map((lane) => [lane, { log: `${lane}|log`, error: `${lane}|error` }]),
) as Readonly<Record<Lane, Readonly<Record<LineClass, string>>>>

/** Where a mark of what is kept stands: by lane and class. */
export function markKey(lane: Lane, lineClass: LineClass): string {
  return MARK_KEYS[lane][lineClass]
}

const ORIGIN = /^([0-9a-f]{10})([OEL]?):(\d{1,16}):(\d{1,10})$/

/** An origin as it stands in a record. */
export function formatOrigin({ file, lane, end, check }: Origin): string {
  return `${file}${lane}:${end}:${check}`
}

/** Read what {@link formatOrigin} wrote; null when it is something else. */
export function parseOrigin(text: string): Origin | null {
  const match = ORIGIN.exec(text)
  if (match === null) return null
  const [, file = '', lane = '', end, check] = match
  return { file, lane: lane as Lane, end: Number(end), check: Number(check) }
}
