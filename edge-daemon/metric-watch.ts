import type { MetricRecord } from '../protocol/records.ts'
import { METRIC_WINDOW_SAMPLES, metricsOf } from './metric-view.ts'
import type { Sample } from './minute-window.ts'
import type { MetricBody, MetricRules } from './rules/metric-rules.ts'
import type { Store } from './store/store.ts'
import { unkept } from './unkept.ts'

/** What a {@link MetricWatch} is made of. */
export interface MetricWatchOptions {
  readonly store: Pick<Store, 'append' | 'read'>
  readonly rules: Pick<MetricRules, 'look' | 'resume'>
  /** An abnormal metric began, goes on or ended. */
  readonly onTold: (metric: MetricBody) => void
}

/** Records that may wait for a disk that refuses. */
const MAX_WAITING = 200
/** Kept records that are looked through for those that are still open. */
const MAX_LOOK_BACK = 1000

/** What the log says of a metric: the begin and the end of one fault must not read the same. */
export function metricLine({ rule, state, expr, values, from, to }: MetricBody): string {
  if (state === 'normal') return `${rule}: over after ${Math.round((to - from) / 1000)} s (${expr})`
  const found = Object.entries(values).map(([path, value]) => `${path} is ${shown(value)}`)
  return `${rule}: ${[expr, ...found].join(', ')}`
}

function shown(value: MetricBody['values'][string]): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value)
}

/** Looks at every sample by the rules, and keeps what is abnormal as `metric` records: these alone go up (requirement A3). */
export class MetricWatch {
  readonly #options: MetricWatchOptions
  #window: Sample[] = []
  #waiting: MetricBody[] = []
  #wasRefused = false
  #writing: Promise<void> | null = null

  constructor(options: MetricWatchOptions) {
    this.#options = options
  }

  /**
   * Go on with what was abnormal when the node was last stopped, by what the store holds.
   * @throws EdgeError `STORE_FAILING` when the store cannot be read.
   */
  async start(): Promise<void> {
    const { store, rules } = this.#options
    const newest = new Map<string, MetricRecord>()
    for (const { line } of await store.read({ classes: ['metric'], limit: MAX_LOOK_BACK, newestFirst: true })) {
      // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
      const metric = JSON.parse(line) as MetricRecord
      if (!newest.has(metric.rule)) newest.set(metric.rule, metric)
    }
    rules.resume([...newest.values()].filter(({ state }) => state === 'abnormal'))
  }

  /** Resolves when what was told is on the disk or refused. */
  async stop(): Promise<void> {
    await this.#writing
  }

  /** Look at one sample. `nowMs` is monotonic. */
  look(sample: Sample, nowMs: number = performance.now()): void {
    this.#window = [...this.#window, sample].slice(-METRIC_WINDOW_SAMPLES - 1)
    const told = this.#options.rules.look(metricsOf(this.#window), sample.timestamp, nowMs)
    for (const metric of told) this.#options.onTold(metric)
    this.#waiting = [...this.#waiting, ...told].slice(-MAX_WAITING)
    if (this.#waiting.length > 0) this.#writing ??= this.#write()
  }

  /** What the disk refuses waits for the next sample. */
  async #write(): Promise<void> {
    const { store } = this.#options
    const batch = this.#waiting
    try {
      const metrics = this.#wasRefused ? await unkept(store, 'metric', batch) : batch
      const records = metrics.map(({ timestamp, ...body }) => ({ class: 'metric' as const, timestamp, body }))
      const { stored } = await store.append(records)
      this.#wasRefused = !stored
      if (stored) this.#waiting = this.#waiting.filter((metric) => !batch.includes(metric))
    } catch {
      // It cannot be read either.
    }
    this.#writing = null
  }
}
