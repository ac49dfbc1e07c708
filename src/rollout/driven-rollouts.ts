import { setTimeout as pause } from 'node:timers/promises'
import { EdgeError } from '../../protocol/errors.ts'
import type { Journal } from './contract.ts'
import type { DriveEnd } from './driver.ts'

/** One rollout to its end by one driver; a new one each time. */
export type DriveOnce = (rollout: string, signal: AbortSignal) => Promise<DriveEnd>

/** What {@link DrivenRollouts} are made with. */
export interface DrivenOptions {
  readonly journal: Pick<Journal, 'list'>
  readonly drive: DriveOnce
  /** Between two looks for rollouts that nobody drives, ms. */
  readonly lookEveryMs?: number
  /** Why a rollout is not driven now, for a log. */
  readonly onFault?: (rollout: string | null, error: EdgeError) => void
}

const LOOK_EVERY_MS = 2000
/** Wait after a failure, longer each time. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [1000, 15_000]
/** Rollouts that are driven at a time: a bound that nobody meets, for paused ones hold their places. */
const MOST = 256

/** Drives what nobody drives, each rollout by a driver of its own, and begins anew where one failed or was replaced. */
export class DrivenRollouts {
  readonly #options: DrivenOptions
  readonly #running = new Map<string, { isDriving: boolean }>()
  /** Rollouts that are over: they are not looked at again. */
  readonly #over = new Set<string>()

  constructor(options: DrivenOptions) {
    this.#options = options
  }

  /** Ids that a driver of this process holds now. */
  get ids(): readonly string[] {
    return [...this.#running].flatMap(([id, { isDriving }]) => (isDriving ? [id] : []))
  }

  /** Note that a driver has its lease, or has it no more. */
  holds(rollout: string, isDriving: boolean): void {
    const running = this.#running.get(rollout)
    if (running !== undefined) running.isDriving = isDriving
  }

  /** Drive one rollout until it is over or the signal comes; somebody else who drives it is waited for. */
  async one(rollout: string, signal: AbortSignal): Promise<void> {
    for (let waitMs = FIRST_WAIT_MS; !signal.aborted; ) {
      const running = { isDriving: false }
      this.#running.set(rollout, running)
      try {
        const end = await this.#options.drive(rollout, signal)
        if (end.why === 'ended' || end.why === 'nothing') {
          this.#over.add(rollout)
          return
        }
        if (end.why === 'stopped') return
        waitMs = FIRST_WAIT_MS
        await rest(end.why === 'held' ? Math.min(end.by.forMs, LOOK_EVERY_MS) : FIRST_WAIT_MS, signal)
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error
        this.#options.onFault?.(rollout, error)
        await rest(waitMs, signal)
        waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)
      } finally {
        if (this.#running.get(rollout) === running) this.#running.delete(rollout)
      }
    }
  }

  /** Drive all that has not ended, also what begins later, until the signal. */
  async all(signal: AbortSignal): Promise<void> {
    const { journal, lookEveryMs = LOOK_EVERY_MS, onFault } = this.#options
    const drivers = new Map<string, Promise<void>>()
    const failed = Promise.withResolvers<never>()
    failed.promise.catch(() => undefined)
    while (!signal.aborted) {
      try {
        for (const id of await journal.list()) {
          if (this.#over.has(id) || drivers.has(id) || drivers.size >= MOST) continue
          drivers.set(
            id,
            this.one(id, signal).finally(() => drivers.delete(id)),
          )
          drivers.get(id)?.catch(failed.reject)
        }
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error
        onFault?.(null, error)
      }
      await Promise.race([rest(lookEveryMs, signal), failed.promise])
    }
    await Promise.all(drivers.values())
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(Math.max(10, ms), undefined, { signal }).catch(() => undefined)
}
