import { describe, expect, it, vi } from 'vitest'
import { BatchRunner, type Prediction } from '../../../edge-daemon/inference/batch-runner.ts'
import type { ChildAnswer } from '../../../edge-daemon/inference/messages.ts'
import { bestOfLogits, bestOfProbabilities } from '../../../edge-daemon/inference/onnx-model.ts'

const picture = (value: number): Float32Array => Float32Array.of(value)
const predict = (pictures: readonly Float32Array[]): Prediction[] =>
  pictures.map((pixels) => ({ pred: pixels[0] as number, confidence: 0.5 }))

function answersOf(run: (pictures: readonly Float32Array[]) => Promise<readonly Prediction[]>, batchMax = 4) {
  const answers: ChildAnswer[] = []
  const runner = new BatchRunner({ batchMax, slowMs: 0, run, answer: (more) => answers.push(...more) })
  return { runner, answers }
}

describe('the batch runner', () => {
  it('runs what waits in one batch, and what comes during a run in the next', async () => {
    const sizes: number[] = []
    const { promise: hold, resolve: release } = Promise.withResolvers<void>()
    const { runner, answers } = answersOf(async (pictures) => {
      sizes.push(pictures.length)
      if (sizes.length === 1) await hold
      return predict(pictures)
    })
    for (let id = 1; id <= 3; id += 1) runner.add(id, picture(id), 0)
    await vi.waitUntil(() => sizes.length === 1)
    for (let id = 4; id <= 9; id += 1) runner.add(id, picture(id), 0)
    release()
    await vi.waitUntil(() => answers.length === 9)
    expect(sizes).toEqual([3, 4, 2])
    expect(answers.map((answer) => [answer[0], answer[1]])).toEqual(Array.from({ length: 9 }, (_, i) => [i + 1, i + 1]))
  })

  it('fails the pictures of a run that failed and goes on with the next', async () => {
    let runs = 0
    const { runner, answers } = answersOf(async (pictures) => {
      runs += 1
      if (runs === 1) throw new Error('/secret/path/model.onnx')
      return predict(pictures)
    }, 1)
    runner.add(1, picture(1), 0)
    runner.add(2, picture(2), 0)
    await vi.waitUntil(() => answers.length === 2)
    expect(answers[0]?.slice(0, 2)).toEqual([1, 'MODEL_FAILED'])
    expect(String(answers[0]?.[2])).not.toContain('secret')
    expect(answers[1]?.slice(0, 2)).toEqual([2, 2])
  })

  it('fails one picture whose output is not finite, not its neighbours', async () => {
    const { runner, answers } = answersOf(async () => [
      { pred: 1, confidence: 0.9 },
      { pred: 0, confidence: Number.NaN },
    ])
    runner.add(1, picture(1), 0)
    runner.add(2, picture(2), 0)
    await vi.waitUntil(() => answers.length === 2)
    expect(answers.map((answer) => answer[1])).toEqual([1, 'MODEL_FAILED'])
  })

  it('waits for the declared fault before each run and counts it as run time', async () => {
    const { runner, answers } = answersOf(async (pictures) => predict(pictures))
    runner.setSlowMs(60)
    runner.add(1, picture(1), 0)
    await vi.waitUntil(() => answers.length === 1)
    expect(answers[0]?.[4]).toBeGreaterThanOrEqual(59)
  })
})

describe('confidence', () => {
  it('is the softmax of logits and the value of probabilities', () => {
    const scores = Float32Array.of(1, 3, 2)
    const { pred, confidence } = bestOfLogits(scores)
    expect(pred).toBe(1)
    expect(confidence).toBeCloseTo(Math.exp(3) / (Math.exp(1) + Math.exp(2) + Math.exp(3)), 6)
    expect(bestOfLogits(Float32Array.of(1000, -1000)).confidence).toBe(1)
    expect(bestOfProbabilities(Float32Array.of(0.2, 0.7, 0.1))).toEqual({ pred: 1, confidence: Math.fround(0.7) })
  })

  it('is NaN when any score is', () => {
    for (const best of [bestOfLogits, bestOfProbabilities]) {
      expect(best(Float32Array.of(0.5, Number.NaN)).confidence).toBeNaN()
      expect(best(Float32Array.of(0.5, Number.POSITIVE_INFINITY)).confidence).toBeNaN()
    }
  })
})
