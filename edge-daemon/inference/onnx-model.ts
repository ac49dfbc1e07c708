import { InferenceSession, Tensor } from 'onnxruntime-node'
import { inspectOnnx } from '../../packages/onnx-graph.ts'
import type { ServedModel } from '../models/models.ts'
import type { Prediction } from './batch-runner.ts'
import { requireTensor } from './tensor-check.ts'

/** A loaded ONNX graph that classifies pictures; lives in a model child only, since a run blocks its thread. */
export class OnnxModel {
  readonly #session: InferenceSession
  readonly #model: ServedModel
  readonly #input: Float32Array
  readonly #pictureSize: number

  private constructor(session: InferenceSession, model: ServedModel, batchMax: number) {
    const [, channels, height, width] = model.input.shape
    this.#session = session
    this.#model = model
    this.#pictureSize = channels * height * width
    this.#input = new Float32Array(batchMax * this.#pictureSize)
  }

  /**
   * Load the graph, which is looked into before the runtime sees it, and run it once over a black picture.
   * @throws Error when the file is no graph of ONNX alone, or its input or output is not what the manifest says.
   */
  static async load(model: ServedModel, batchMax: number): Promise<OnnxModel> {
    inspectOnnx(model.path)
    const session = await InferenceSession.create(model.path, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Threads that spin for work take a core from the rest of the node.
      extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
    })
    requireTensor('input', session.inputMetadata, model.input)
    requireTensor('output', session.outputMetadata, model.output)
    const loaded = new OnnxModel(session, model, batchMax)
    const [only] = await loaded.run([new Float32Array(loaded.#pictureSize)])
    if (only === undefined || !Number.isFinite(only.confidence)) {
      throw new Error('the self-test over a black picture gave no finite output')
    }
    return loaded
  }

  /** Classify pictures in one run; at most `batchMax`, each `channels × height × width` values. */
  async run(pictures: readonly Float32Array[]): Promise<Prediction[]> {
    pictures.forEach((picture, index) => {
      this.#input.set(picture, index * this.#pictureSize)
    })
    const { input, output } = this.#model
    const [, channels, height, width] = input.shape
    const used = this.#input.subarray(0, pictures.length * this.#pictureSize)
    const feeds = { [input.name]: new Tensor('float32', used, [pictures.length, channels, height, width]) }
    const results = await this.#session.run(feeds, [output.name])
    const data = results[output.name]?.data
    const classCount = output.shape[1]
    if (!(data instanceof Float32Array) || data.length !== pictures.length * classCount) {
      throw new Error(`the output "${output.name}" is not ${pictures.length}×${classCount} of float32`)
    }
    return pictures.map((_, index) => {
      const scores = data.subarray(index * classCount, (index + 1) * classCount)
      return output.meaning === 'logits' ? bestOfLogits(scores) : bestOfProbabilities(scores)
    })
  }
}

/** The likeliest class of probabilities; confidence NaN when any is not finite. */
export function bestOfProbabilities(scores: Float32Array): Prediction {
  const pred = argmax(scores)
  // Rounding in the graph may leave a hair over 1.
  return { pred, confidence: scores.every(Number.isFinite) ? Math.min(1, Math.max(0, scores[pred] ?? 0)) : Number.NaN }
}

/** The likeliest class of logits with its softmax as confidence; NaN when any is not finite. */
export function bestOfLogits(scores: Float32Array): Prediction {
  const pred = argmax(scores)
  const top = scores[pred] ?? Number.NaN
  let sum = 0
  for (const score of scores) sum += Math.exp(score - top)
  return { pred, confidence: scores.every(Number.isFinite) ? 1 / sum : Number.NaN }
}

function argmax(scores: Float32Array): number {
  let best = 0
  for (let i = 1; i < scores.length; i += 1) if ((scores[i] as number) > (scores[best] as number)) best = i
  return best
}
