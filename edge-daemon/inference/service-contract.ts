import type { EdgeError } from '../../protocol/errors.ts'
import type { ServedModel } from '../models/models.ts'

/** What the service tells of itself; the owner logs it, and counts each restart. */
export type ServiceEvent =
  | {
      readonly event: 'model.ready'
      readonly generation: number
      readonly pid: number | null
      readonly model: string
      /** The first child of a model, or one that follows a child that died. */
      readonly why: 'begin' | 'restart'
    }
  | {
      readonly event: 'model.died'
      readonly generation: number
      readonly model: ServedModel
      readonly reason: string
      readonly failed: number
    }
  /** A model that is loaded beside another takes its share of the cores from it: it could not be lifted again. */
  | { readonly event: 'model.loads_loudly' }
  | { readonly event: 'model.hung'; readonly generation: number; readonly silentMs: number }
  | { readonly event: 'model.restart_failed'; readonly generation: number; readonly error: EdgeError }

/** How a swap goes. */
export interface SwapOptions {
  /** What served before may be wanted back at any moment: its child stays warm. */
  readonly keepBefore?: boolean
  /** Ends the loading of the new model; what served before stays. */
  readonly signal?: AbortSignal
}

/** How an {@link InferenceService} works; times in ms. */
export interface InferenceServiceOptions {
  readonly batchMax: number
  /** Requests that may wait besides those the child has. */
  readonly queueLimit: number
  /** Longest that a request may take before it fails; a child silent for so long is killed. */
  readonly timeoutMs: number
  /** Most pixels a picture may have. */
  readonly pixelLimit: number
  /** Declared fault at the start. */
  readonly slowMs?: number
  readonly readyTimeoutMs?: number
  readonly restartFirstMs?: number
  readonly restartMaxMs?: number
  /** File that node runs as the child; the one of this build unless told otherwise. */
  readonly childEntry?: string
  /** A model that is loaded beside the one that serves stands back meanwhile, where the system allows it. */
  readonly loadsQuietly?: boolean
  /** Longest that it stands back. */
  readonly quietMs?: number
  readonly onEvent?: (event: ServiceEvent) => void
}

/** What the service is now, as a status frame shows it. */
export interface ServiceStatus {
  readonly model: ServedModel | null
  readonly childPid: number | null
  /** How many children there have been. */
  readonly generation: number
  readonly queued: number
  readonly inFlight: number
  readonly slowMs: number
}
