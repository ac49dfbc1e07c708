import type { StatusFrame } from '../../protocol/frames.ts'
import { Histogram } from '../../protocol/histogram.ts'
import type { StageHistograms } from '../../protocol/status.ts'

/** Counters since the start of the daemon, as status frames carry them. */
export type InferenceCounters = StatusFrame['inference']['counters']

/**
 * Kinds of answers. `ok` and `abnormal` are 200s, the latter less confident than the filter asks; `undecodable` is 422;
 * `failed` is 500 and 503, the node's fault; `malformed` is every other 4xx, the device's fault.
 */
export type AnswerKind = 'ok' | 'abnormal' | 'undecodable' | 'failed' | 'malformed'

/** Stages of a request in the order they happen; `total` is from the request's head to its answer. */
export const STAGES = ['decode', 'queue', 'run', 'commit', 'total'] as const
/** @see STAGES */
export type Stage = (typeof STAGES)[number]

/**
 * Counts what the inference room does; everything is counted, nothing estimated, and only ever grows. `total` holds every
 * answer whose record went to the store (200, 422, 500), so that a failing model shows in the percentiles; `decode`,
 * `queue` and `run` hold the 200s.
 */
export class InferenceMeters {
  readonly #counters = {
    requests: 0,
    ok: 0,
    abnormal: 0,
    undecodable: 0,
    failed: 0,
    malformed: 0,
    notStored: 0,
    overRate: 0,
    childRestarts: 0,
    slow: 0,
    rawBytes: 0,
  }
  readonly #stages: Readonly<Record<Stage, Histogram>> = {
    decode: new Histogram(),
    queue: new Histogram(),
    run: new Histogram(),
    commit: new Histogram(),
    total: new Histogram(),
  }
  readonly #slowMs: number

  /** @param slowMs what takes longer in all counts as slow */
  constructor(slowMs: number) {
    this.#slowMs = slowMs
  }

  /** An answer was given. */
  answered(kind: AnswerKind): void {
    this.#counters.requests += 1
    this.#counters[kind] += 1
  }

  /** Bytes of a request body arrived, whatever becomes of it. */
  received(bytes: number): void {
    this.#counters.rawBytes += bytes
  }

  /** The disk refused a record. */
  notStored(): void {
    this.#counters.notStored += 1
  }

  /** An abnormal result stays on the node because too many came. */
  overRate(): void {
    this.#counters.overRate += 1
  }

  /** A model child was started again after it died. */
  childRestarted(): void {
    this.#counters.childRestarts += 1
  }

  /** A stage took so long. */
  took(stage: Stage, ms: number): void {
    this.#stages[stage].record(ms)
    if (stage === 'total' && ms > this.#slowMs) this.#counters.slow += 1
  }

  /** A copy of the counters. */
  counters(): InferenceCounters {
    return { ...this.#counters }
  }

  /** Cumulative histograms of all stages. */
  latency(): StageHistograms {
    return {
      decode: wire(this.#stages.decode),
      queue: wire(this.#stages.queue),
      run: wire(this.#stages.run),
      commit: wire(this.#stages.commit),
      total: wire(this.#stages.total),
    }
  }
}

function wire(histogram: Histogram): StageHistograms['total'] {
  const { count, sumMs, maxMs, buckets } = histogram.snapshot()
  return { count, sumMs, maxMs, buckets: buckets.map(([index, n]) => [index, n]) }
}
