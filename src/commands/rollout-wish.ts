import type { NodeSelection } from '../fleet/node-selection.ts'
import type { Decision } from '../rollout/contract.ts'
import type { OutputFormat } from './output.ts'

/** How a rollout that is planned is begun. */
interface Beginning {
  /** Print what would happen, and begin nothing. */
  readonly planOnly: boolean
  /** Write it down and leave the driving to others. */
  readonly detach: boolean
  /** End once it is paused or waits for somebody, instead of driving on when that is decided. */
  readonly leavesStanding: boolean
  readonly why: string | null
  readonly yes: boolean
}

/** What `edgedeck rollout` was asked. `id` is null for the newest one. */
export type RolloutTask = { readonly format: OutputFormat } & (
  | (Beginning & {
      readonly task: 'start'
      /** A folder with `package.sig`, or NAME@VERSION#DIGEST of what was pushed. */
      readonly package: string
      /** `nats:BUCKET`, an https address or `link`, as typed; none for what the context has. */
      readonly from: readonly string[]
      readonly selection: NodeSelection
      /** YAML file; null for the defaults. */
      readonly strategyFile: string | null
      /** Keys of the strategy that are set here, dotted. */
      readonly settings: Readonly<Record<string, unknown>>
    })
  | (Beginning & { readonly task: 'undo'; readonly id: string | null })
  | { readonly task: 'list' }
  | { readonly task: 'status'; readonly id: string | null; readonly wait: boolean }
  | { readonly task: 'explain'; readonly id: string | null; readonly all: boolean }
  | { readonly task: 'drive'; readonly id: string | null; readonly leavesStanding: boolean }
  | {
      readonly task: 'decide'
      readonly decision: Decision
      readonly id: string | null
      readonly wave: string | null
      readonly why: string | null
      readonly yes: boolean
      readonly wait: boolean
    }
)
