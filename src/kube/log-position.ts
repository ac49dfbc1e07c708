import type { StampedLine } from './pod-log-lines.ts'

/**
 * How far a log was read. An API server gives lines from a whole second on, so the lines of the newest second come again when it is asked
 * for what is behind: as many as came of it, in the same order.
 */
export class LogPosition {
  #last: Pick<StampedLine, 'stamp' | 'atMs'> = { stamp: '', atMs: null }
  #second: string | null = null
  #count = 0

  /** The time of the newest line; empty as long as there is none. */
  get stamp(): string {
    return this.#last.stamp
  }

  /** The second of the newest line, RFC 3339; null as long as there is none. */
  get second(): string | null {
    return this.#second
  }

  /** A line came that is behind. Those without a time are not counted. */
  advance({ stamp, atMs }: StampedLine): void {
    if (stamp === '') return
    const second = stamp.replace(/\.\d+/, '')
    this.#count = second === this.#second ? this.#count + 1 : 1
    this.#second = second
    this.#last = { stamp, atMs }
  }

  /** Where a stream that was asked for from {@link second} on meets what came before it. */
  joint(): LogJoint {
    return new LogJoint(this.#last, this.#count)
  }
}

/** Tells the lines that came already, at the beginning of a stream. */
export class LogJoint {
  readonly #last: Pick<StampedLine, 'stamp' | 'atMs'>
  #left: number

  constructor(last: Pick<StampedLine, 'stamp' | 'atMs'>, count: number) {
    this.#last = last
    this.#left = count
  }

  /** Whether every line that had to come again has. */
  get isWhole(): boolean {
    return this.#left === 0
  }

  /** Whether the next line of the stream came already. */
  isKnown({ stamp, atMs }: StampedLine): boolean {
    const last = this.#last
    if (this.#left === 0 || atMs === null || last.atMs === null) return false
    const isBehind = atMs === last.atMs ? stamp > last.stamp : atMs > last.atMs
    if (isBehind) return false
    this.#left -= 1
    return true
  }
}
