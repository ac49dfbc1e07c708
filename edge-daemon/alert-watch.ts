import { type HistogramData, subtractHistogram } from '../protocol/histogram.ts'
import type { ActiveAlert } from '../protocol/status.ts'
import { type AlertBody, type AlertInputs, type AlertRules, MIN_LATENCY_SAMPLES } from './health/alert-rules.ts'

/** What an {@link AlertWatch} is made of. */
export interface AlertWatchOptions {
  readonly rules: AlertRules
  /** What the rules look at, now; `latency` is the cumulative total of all answers. */
  readonly inputs: () => AlertInputs
  /** Called at every look, for what else must be seen while nobody asks. */
  readonly onLook: () => void
  /** An alert began or ended. */
  readonly onChange: (alert: AlertBody) => void
}

const EVERY_MS = 1000
/** The latency rule looks at this many of the last looks, or at more until they hold enough answers to judge by. */
const WINDOW_LOOKS = 10
const MAX_WINDOW_LOOKS = 300

/** Looks at the node once a second and tells when an alert begins or ends. */
export class AlertWatch {
  readonly #options: AlertWatchOptions
  readonly #totals: HistogramData[] = []
  #active: readonly ActiveAlert[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(options: AlertWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), EVERY_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** What fires now. */
  active(): readonly ActiveAlert[] {
    return this.#active
  }

  /** Look once. */
  look(): void {
    this.#options.onLook()
    const inputs = this.#options.inputs()
    const latency = this.#windowOf(inputs.latency)
    const { fired, resolved, active } = this.#options.rules.evaluate({ ...inputs, latency }, performance.now())
    this.#active = active
    for (const alert of [...fired, ...resolved]) this.#options.onChange(alert)
  }

  #windowOf(total: HistogramData): HistogramData {
    this.#totals.push(total)
    if (this.#totals.length > MAX_WINDOW_LOOKS + 1) this.#totals.shift()
    const newest = Math.max(0, this.#totals.length - 1 - WINDOW_LOOKS)
    const enough = (before: HistogramData): boolean => total.count - before.count >= MIN_LATENCY_SAMPLES
    const from = this.#totals.findLastIndex((before, index) => index <= newest && enough(before))
    return subtractHistogram(total, this.#totals[Math.max(0, from)] ?? total)
  }
}
