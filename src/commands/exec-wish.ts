import type { NodeSelection } from '../fleet/node-selection.ts'

/** Forms that `edgedeck exec` prints in. */
export const EXEC_FORMATS = ['prefix', 'grouped', 'json', 'ndjson'] as const
/** @see EXEC_FORMATS */
export type ExecFormat = (typeof EXEC_FORMATS)[number]

/** What `edgedeck exec` is asked. Times are ms. */
export interface ExecWish {
  readonly selection: NodeSelection
  /** A line for the shell of each node. */
  readonly command: string
  /** Give what comes on our input to each of them. */
  readonly stdin: boolean
  readonly parallel: number
  readonly commandTimeoutMs: number | null
  readonly connectTimeoutMs: number
  readonly deadlineMs: number | null
  readonly maxFailures: number | null
  readonly format: ExecFormat
  /** Show groups as what they differ in from the largest one. */
  readonly diff: boolean
  readonly maxOutputBytes: number
  readonly dryRun: boolean
  readonly why: string | null
  readonly yes: boolean
}
