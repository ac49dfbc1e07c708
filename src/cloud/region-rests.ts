import type { EdgeError } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { RegionReport } from './cloud-range.ts'

/** A region that does not answer, and why. */
export interface DeadRegion {
  readonly name: string
  readonly error: EdgeError
}

/** Remembers for a while which regions did not answer, so that a dead one costs its timeout once and not at every read. */
export class RegionRests {
  readonly #restMs: number
  readonly #nowMs: () => number
  readonly #dead = new Map<string, DeadRegion & { readonly untilMs: number }>()

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(restMs: number, nowMs: () => number = () => performance.now()) {
    this.#restMs = restMs
    this.#nowMs = nowMs
  }

  /** Which regions to ask now, and which still rest. */
  split(clouds: readonly CloudAddress[]): { awake: CloudAddress[]; resting: DeadRegion[] } {
    const now = this.#nowMs()
    for (const [name, { untilMs }] of this.#dead) if (untilMs <= now) this.#dead.delete(name)
    const awake = clouds.filter(({ name }) => !this.#dead.has(name))
    return { awake, resting: [...this.#dead.values()] }
  }

  /** Take what reading came to. Returns those that did not answer. */
  note(reports: readonly RegionReport[]): DeadRegion[] {
    return reports.flatMap(({ name, error }) => {
      if (error === null) return []
      this.#dead.set(name, { name, error, untilMs: this.#nowMs() + this.#restMs })
      return [{ name, error }]
    })
  }
}
