import type { LogFilter } from '../../../protocol/log-filter.ts'
import type { NodeLink } from '../../link/link.ts'

/** What a follower needs of its console. */
export interface FollowerParts {
  readonly keys: () => readonly string[]
  readonly link: (key: string) => NodeLink | undefined
}

/** Kept lines that are asked for with a new filter, so that a screen is full at once. */
const BACKLOG = 200

/**
 * Which lines nodes are asked to send as they come: those of the log screen that is open get its filter, so that what
 * nobody wants to see does not travel; the others go on with what the panes of all nodes show.
 */
export class LogFollower {
  readonly #parts: FollowerParts
  readonly #told = new Map<string, string>()
  readonly #first: string

  /** `first` is what links ask for by themselves. */
  constructor(parts: FollowerParts, first: LogFilter) {
    this.#parts = parts
    this.#first = JSON.stringify(first)
  }

  /** Follow these nodes (null = all) with `wanted` and the others with `usual`; those that are followed so already hear nothing. */
  follow(keys: ReadonlySet<string> | null, wanted: LogFilter, usual: LogFilter): void {
    const [wantedText, usualText] = [JSON.stringify(wanted), JSON.stringify(usual)]
    for (const key of this.#parts.keys()) {
      const isWanted = keys === null || keys.has(key)
      const text = isWanted ? wantedText : usualText
      if ((this.#told.get(key) ?? this.#first) === text) continue
      const link = this.#parts.link(key)
      if (link === undefined) continue
      this.#told.set(key, text)
      link.followLogs({ filter: isWanted ? wanted : usual, backlog: BACKLOG })
    }
  }
}
