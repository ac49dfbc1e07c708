import type { AlertRecord } from '../protocol/records.ts'
import type { ActiveAlert } from '../protocol/status.ts'
import type { AlertBody } from './health/alert-rules.ts'
import type { Store } from './store/store.ts'
import { unkept } from './unkept.ts'

/** What an {@link AlertKeeper} is made of. */
export interface AlertKeeperOptions {
  readonly store: Pick<Store, 'append' | 'read'>
  /** The disk refuses this alert for now: nobody hears of it through a commit. */
  readonly onRefused: (alert: AlertBody) => void
}

/** Alerts that may wait for the disk: begin and end of every rule many times over. */
const MAX_WAITING = 100
/** Kept alerts that are looked through for those that still fire. */
const MAX_LOOK_BACK = 1000

/** Brings the begin and the end of alerts into the store, in their order, also when the disk refuses for a while. */
export class AlertKeeper {
  readonly #options: AlertKeeperOptions
  #waiting: AlertBody[] = []
  #wasRefused = false
  #writing: Promise<void> | null = null

  constructor(options: AlertKeeperOptions) {
    this.#options = options
  }

  /**
   * Alerts that fired when the node was last stopped, by what the store holds: the newest word on each rule.
   * @throws EdgeError `STORE_FAILING` when the store cannot be read.
   */
  async stillFiring(): Promise<ActiveAlert[]> {
    const kept = await this.#options.store.read({ classes: ['alert'], limit: MAX_LOOK_BACK, newestFirst: true })
    const newest = new Map<string, AlertRecord>()
    for (const { line } of kept) {
      // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
      const alert = JSON.parse(line) as AlertRecord
      if (!newest.has(alert.rule)) newest.set(alert.rule, alert)
    }
    return [...newest.values()]
      .filter(({ state }) => state === 'firing')
      .map(({ rule, severity, value, threshold, unit, since, msg }) => ({
        rule,
        severity,
        value,
        threshold,
        unit,
        since,
        msg,
      }))
  }

  /** Keep an alert; what the disk refuses waits for {@link retry}. */
  keep(alert: AlertBody): void {
    this.#waiting = [...this.#waiting, alert].slice(-MAX_WAITING)
    this.#write(alert)
  }

  /** Try again what waits. */
  retry(): void {
    this.#write(null)
  }

  #write(fresh: AlertBody | null): void {
    if (this.#waiting.length === 0) return
    if (this.#writing !== null) {
      if (fresh !== null) void this.#writing.then(() => this.#write(fresh))
      return
    }
    this.#writing = this.#append(fresh).finally(() => {
      this.#writing = null
    })
  }

  async #append(fresh: AlertBody | null): Promise<void> {
    const batch = this.#waiting
    if (await this.#isKept(batch)) this.#waiting = this.#waiting.filter((alert) => !batch.includes(alert))
    else if (fresh !== null) this.#options.onRefused(fresh)
  }

  async #isKept(batch: readonly AlertBody[]): Promise<boolean> {
    const { store } = this.#options
    try {
      const alerts = this.#wasRefused ? await unkept(store, 'alert', batch) : batch
      const records = alerts.map(({ timestamp, ...body }) => ({ class: 'alert' as const, timestamp, body }))
      const { stored } = await store.append(records)
      this.#wasRefused = !stored
      return stored
    } catch {
      return false
    }
  }
}
