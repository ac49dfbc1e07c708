import type { ChildAnswer } from './messages.ts'

/** Outcome of one picture of a batch; `confidence` is 0..1. */
export interface Prediction {
  readonly pred: number
  readonly confidence: number
}

/** What the runner needs from its surroundings. */
export interface BatchRunnerOptions {
  /** Most pictures in a run. */
  readonly batchMax: number
  /** Run the model over the pictures, answering in their order. Rejects when the run failed as a whole. */
  readonly run: (pictures: readonly Float32Array[]) => Promise<readonly Prediction[]>
  /** Takes finished answers, many at once. */
  readonly answer: (answers: readonly ChildAnswer[]) => void
  /** Declared fault: waited before each run. */
  readonly slowMs: number
}

interface Waiting {
  readonly id: number
  readonly pixels: Float32Array
  readonly decodeMs: number
}

/** Runs whatever waits, at once and without a timer, one run at a time: load makes the batches, idleness costs nothing. */
export class BatchRunner {
  readonly #options: BatchRunnerOptions
  #slowMs: number
  #waiting: Waiting[] = []
  #refused: ChildAnswer[] = []
  #isBusy = false

  constructor(options: BatchRunnerOptions) {
    this.#options = options
    this.#slowMs = options.slowMs
  }

  /** Change the declared fault; it holds from the next run on. */
  setSlowMs(slowMs: number): void {
    this.#slowMs = slowMs
  }

  /** A decoded picture, to be run with whatever else waits. */
  add(id: number, pixels: Float32Array, decodeMs: number): void {
    this.#waiting.push({ id, pixels, decodeMs })
    this.#wake()
  }

  /** A request that needs no run; answered with the next batch. */
  refuse(answer: ChildAnswer): void {
    this.#refused.push(answer)
    this.#wake()
  }

  #wake(): void {
    if (this.#isBusy) return
    this.#isBusy = true
    // After the poll phase, so that everything that has arrived by now is in the batch.
    setImmediate(() => void this.#work())
  }

  async #work(): Promise<void> {
    const refused = this.#refused
    this.#refused = []
    if (refused.length > 0) this.#options.answer(refused)
    const batch = this.#waiting.splice(0, this.#options.batchMax)
    if (batch.length > 0) this.#options.answer(await this.#runBatch(batch))
    this.#isBusy = false
    if (this.#waiting.length > 0 || this.#refused.length > 0) this.#wake()
  }

  async #runBatch(batch: readonly Waiting[]): Promise<ChildAnswer[]> {
    const startedAt = performance.now()
    if (this.#slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#slowMs))
    let predictions: readonly Prediction[]
    try {
      predictions = await this.#options.run(batch.map((waiting) => waiting.pixels))
    } catch {
      // The runtime's text names paths and nodes of the graph; who sent a picture can do nothing with it.
      return batch.map(({ id }) => [id, 'MODEL_FAILED', 'the run of the model failed; send the request again'])
    }
    const runMs = roundMs(performance.now() - startedAt)
    return batch.map(({ id, decodeMs }, index) => {
      const prediction = predictions[index]
      if (prediction === undefined || !Number.isFinite(prediction.confidence)) {
        return [id, 'MODEL_FAILED', 'the model gave no finite output for this picture; send another or mend the model']
      }
      return [id, prediction.pred, round(prediction.confidence, 1e6), roundMs(decodeMs), runMs]
    })
  }
}

function roundMs(ms: number): number {
  return round(ms, 1000)
}

function round(value: number, steps: number): number {
  return Math.round(value * steps) / steps
}
