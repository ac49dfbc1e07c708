import { EMPTY_HISTOGRAM, mergeHistograms, subtractHistogram } from '../../protocol/histogram.ts'
import type { StageHistograms } from '../../protocol/status.ts'

/** Latency of a time in which nothing was counted. */
export const NO_LATENCY: StageHistograms = {
  decode: EMPTY_HISTOGRAM as StageHistograms['decode'],
  queue: EMPTY_HISTOGRAM as StageHistograms['queue'],
  run: EMPTY_HISTOGRAM as StageHistograms['run'],
  commit: EMPTY_HISTOGRAM as StageHistograms['commit'],
  total: EMPTY_HISTOGRAM as StageHistograms['total'],
}

/** What was counted between two moments, from cumulative histograms. */
export function latencyBetween(later: StageHistograms, earlier: StageHistograms): StageHistograms {
  return byStage((stage) => subtractHistogram(later[stage], earlier[stage]))
}

/** What was counted in all of these windows. */
export function latencyOver(windows: readonly StageHistograms[]): StageHistograms {
  return byStage((stage) => mergeHistograms(windows.map((window) => window[stage])))
}

function byStage(make: (stage: keyof StageHistograms) => unknown): StageHistograms {
  const of = (stage: keyof StageHistograms): StageHistograms['total'] => make(stage) as StageHistograms['total']
  return { decode: of('decode'), queue: of('queue'), run: of('run'), commit: of('commit'), total: of('total') }
}
