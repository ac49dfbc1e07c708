import type { LiveSettings } from './config/live-settings.ts'
import type { NewResult } from './inference/keep.ts'
import { MetricRules } from './rules/metric-rules.ts'
import { ResultRules, type RuleFault } from './rules/result-rules.ts'
import { ResultFilter, type Verdict } from './upstream/filter.ts'

/** The rules of a node, made anew whenever other settings are in force. */
export class LiveRules {
  readonly #settings: LiveSettings
  #results: ResultRules
  #filter: ResultFilter<NewResult>
  #metrics: MetricRules

  constructor(settings: LiveSettings) {
    this.#settings = settings
    this.#results = this.#newResults()
    this.#filter = this.#newFilter()
    this.#metrics = this.#newMetrics()
    settings.onChange(() => {
      this.#results = this.#newResults()
      this.#filter = this.#newFilter()
      const open = this.#metrics.open()
      this.#metrics = this.#newMetrics()
      // What was told as abnormal goes on, or its end is told where its rule is no more.
      this.#metrics.resume(open)
    })
  }

  /** @see ResultFilter.classify */
  classify(result: NewResult): Verdict {
    return this.#filter.classify(result)
  }

  /** @see ResultRules.faults */
  faults(): readonly RuleFault[] {
    return this.#results.faults()
  }

  /** @see MetricRules */
  readonly metrics: Pick<MetricRules, 'look' | 'resume'> = {
    look: (...args) => this.#metrics.look(...args),
    resume: (open) => this.#metrics.resume(open),
  }

  #newResults(): ResultRules {
    const { abnormal, minConfidence } = this.#settings.filter
    return new ResultRules(abnormal, minConfidence)
  }

  #newFilter(): ResultFilter<NewResult> {
    const { abnormalPerSec } = this.#settings.filter
    return new ResultFilter({ judge: (result) => this.#results.judge(result), abnormalPerSec })
  }

  #newMetrics(): MetricRules {
    const { metrics, metricsRepeat } = this.#settings.filter
    return new MetricRules(metrics, metricsRepeat)
  }
}
