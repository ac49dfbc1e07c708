import { LOG_LEVELS } from '../../protocol/records.ts'
import type { RequestFailure, TallyRequest } from './link.ts'
import type { SearchedNode } from './log-search-contract.ts'

/** One step of time of all nodes together; `lines` by level, in the order of `LOG_LEVELS`. */
export interface TallyStep {
  readonly startMs: number
  readonly lines: readonly number[]
}

/** Lines of several nodes by level over time; times are Unix ms on our clock. */
export interface LogTally {
  readonly stepMs: number
  /** Every step of the range, oldest first. */
  readonly steps: readonly TallyStep[]
  /** Every node that answered knows everything from here on. */
  readonly knownFromMs: number
  readonly failures: ReadonlyMap<string, RequestFailure>
}

/** Count kept lines of nodes, all at once; a node that cannot is told among `failures`. Never rejects. */
export async function tallyLogs(
  nodes: readonly SearchedNode[],
  { fromMs, toMs, stepMs, filter }: TallyRequest,
  signal: AbortSignal,
): Promise<LogTally> {
  const count = Math.max(1, Math.ceil((toMs - fromMs) / stepMs))
  const sums = Array.from({ length: count }, () => LOG_LEVELS.map(() => 0))
  const failures = new Map<string, RequestFailure>()
  let knownFromMs = fromMs
  await Promise.all(
    nodes.map(async ({ key, link, offsetMs }) => {
      const onNode = (atMs: number): number => Math.max(0, Math.round(atMs + offsetMs))
      const range = { fromMs: onNode(fromMs), toMs: onNode(toMs), stepMs }
      const outcome = await link.tally(filter === undefined ? range : { ...range, filter }, signal)
      if (!outcome.ok) {
        failures.set(key, outcome)
        return
      }
      // What comes back as it was asked is no news, whatever the clocks are apart.
      if (outcome.fromMs > range.fromMs) knownFromMs = Math.max(knownFromMs, outcome.fromMs - offsetMs)
      for (const step of outcome.steps) {
        const index = Math.round((step.startMs - range.fromMs) / stepMs)
        const sum = sums[Math.min(count - 1, Math.max(0, index))]
        step.lines.forEach((lines, level) => {
          if (sum !== undefined) sum[level] = (sum[level] ?? 0) + lines
        })
      }
    }),
  )
  const steps = sums.map((lines, index) => ({ startMs: fromMs + index * stepMs, lines }))
  return { stepMs, steps, knownFromMs: Math.round(knownFromMs), failures }
}
