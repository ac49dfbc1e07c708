import type { Schedule } from '../fleet/coalescer.ts'
import type { ScreenName } from './console-store.ts'

/** What attention follows from and acts on. */
export interface AttentionParts {
  readonly screen: () => ScreenName
  /** Called with the nodes that are looked at when they are others than before; null where nobody asks. */
  readonly look: ((keys: ReadonlySet<string>) => void) | null
  readonly schedule: Schedule
}

/** Scrolling through a fleet asks nothing of the nodes that only run past. */
const SETTLE_MS = 300

/**
 * Which nodes the operator looks at: the rows in sight of the fleet, or the node that is open. They tell every second, the
 * others rarely (architecture decision 15).
 */
export class Attention {
  readonly #parts: AttentionParts
  #rows: readonly string[] = []
  #told = ''
  #cancel: (() => void) | null = null

  constructor(parts: AttentionParts) {
    this.#parts = parts
  }

  /** These rows of the fleet are in sight. */
  rowsInSight(keys: readonly string[]): void {
    this.#rows = keys
    this.settle()
  }

  /** Another screen may be open. */
  settle(): void {
    const { look, schedule } = this.#parts
    const keys = this.#keys()
    if (look === null || [...keys].sort().join('\n') === this.#told) return
    this.#cancel ??= schedule(() => {
      this.#cancel = null
      const settled = this.#keys()
      this.#told = [...settled].sort().join('\n')
      look(settled)
    }, SETTLE_MS)
  }

  #keys(): ReadonlySet<string> {
    const screen = this.#parts.screen()
    if (['fleet', 'exec', 'rollouts', 'rollout'].includes(screen.name)) return new Set(this.#rows)
    if (screen.name === 'logs') return screen.keys ?? new Set(this.#rows)
    return 'key' in screen ? new Set([screen.key]) : new Set()
  }
}
