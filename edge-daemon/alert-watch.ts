import type { ActiveAlert } from '../protocol/frames.ts'
import { type HistogramData, subtractHistogram } from '../protocol/histogram.ts'
import type { AlertBody, AlertInputs, AlertRules } from './health/alert-rules.ts'

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
/** The latency rule looks at this many of the last looks. */
const WINDOW_LOOKS = 10

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
    this.#timer ??= setInterval(() => this.#look(), EVERY_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** What fires now. */
  active(): readonly ActiveAlert[] {
    return this.#active
  }

  #look(): void {
    this.#options.onLook()
    const inputs = this.#options.inputs()
    this.#totals.push(inputs.latency)
    if (this.#totals.length > WINDOW_LOOKS + 1) this.#totals.shift()
    const oldest = this.#totals[0] ?? inputs.latency
    const latency = subtractHistogram(inputs.latency, oldest)
    const { fired, resolved, active } = this.#options.rules.evaluate({ ...inputs, latency }, performance.now())
    this.#active = active
    for (const alert of [...fired, ...resolved]) this.#options.onChange(alert)
  }
}
