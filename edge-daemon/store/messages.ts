import type { ErrorCode } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'
import type {
  Backlog,
  Chain,
  Chains,
  Fork,
  ForkReason,
  ReadRequest,
  RunRequest,
  StoredRecord,
  StoredRun,
} from './contract.ts'
import type { PackedRecords } from './packed-records.ts'
import type { Places, PlacesRequest } from './places-contract.ts'
import type { ClassLimits } from './retention-plan.ts'
import type { StoreKeys } from './seal.ts'

/** What a worker is started with. */
export interface WorkerSettings {
  readonly dir: string
  readonly nodeName: string
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly keys: StoreKeys | null
  readonly durability?: 'sync' | 'async' | undefined
  readonly syncEveryMs?: number | undefined
  /** What the log keeps on a disk that others fill, in bytes; nothing when it is left out. */
  readonly floorBytes?: number | undefined
  /** Limits by class; none when they are left out. */
  readonly limits?: ClassLimits | undefined
  /** @see StoreOptions.awaited */
  readonly awaited?: readonly (readonly string[])[] | undefined
}

/** What changes with a commit, an eviction or an acknowledgement. */
export interface StoreView {
  readonly status: StoreStatus
  /** By target; under `''` that of a target that never acknowledged anything. */
  readonly backlogs: Readonly<Record<string, Backlog>>
}

/** To the worker. Appends are answered in the order they were sent. */
export type ToWorker =
  | {
      readonly t: 'append'
      /** Records in each call. */
      readonly calls: readonly number[]
      /** Those of all calls, one after the other. */
      readonly records: PackedRecords
      /** By call, whether a refusal of its records is no loss. */
      readonly triedAgain?: readonly boolean[]
      /** Records that never reached the worker since the last append, by class, for the ledger. */
      readonly lost: readonly (readonly [RecordClass, number])[]
    }
  | { readonly t: 'read'; readonly id: number; readonly request: ReadRequest }
  | { readonly t: 'run'; readonly id: number; readonly request: RunRequest }
  | { readonly t: 'places'; readonly id: number; readonly request: PlacesRequest }
  | { readonly t: 'cursor'; readonly target: string; readonly class: UpstreamClass; readonly seq: number }
  | { readonly t: 'chain'; readonly target: string; readonly class: UpstreamClass; readonly chain: Chain }
  | { readonly t: 'epoch'; readonly reason: ForkReason; readonly msg: string }
  | { readonly t: 'keys'; readonly keys: StoreKeys }
  | { readonly t: 'close' }

/** From the worker. */
export type FromWorker =
  | {
      readonly t: 'opened'
      readonly epoch: string
      readonly chains: Readonly<Record<string, Chains>>
      readonly forks: readonly Fork[]
      readonly view: StoreView
    }
  | {
      readonly t: 'unopened'
      readonly code: ErrorCode
      readonly message: string
      readonly next: readonly string[]
    }
  | {
      /** The oldest `calls` waiting calls are durable; their records follow the store's `own` from `firstSeq` on. */
      readonly t: 'committed'
      readonly calls: number
      readonly epoch: string
      readonly firstSeq: number
      readonly own: readonly StoredRecord[]
      readonly view: StoreView
    }
  | {
      readonly t: 'refused'
      readonly calls: number
      readonly code: ErrorCode
      readonly msg: string
      readonly view: StoreView
    }
  | { readonly t: 'read'; readonly id: number; readonly records: readonly StoredRecord[] }
  | { readonly t: 'run'; readonly id: number; readonly run: StoredRun | null }
  | { readonly t: 'places'; readonly id: number; readonly places: Places }
  | { readonly t: 'unread'; readonly id: number; readonly msg: string }
  | {
      /** Answers the oldest waiting cursor or chain; `chains` where the worker had a part in what they are now. */
      readonly t: 'cursor'
      readonly chains: Readonly<Record<string, Chains>> | null
      readonly error: string | null
      readonly view: StoreView
    }
  | {
      /** Answers the oldest waiting call for a new epoch. */
      readonly t: 'epoch'
      readonly forks: readonly Fork[]
      readonly error: string | null
      readonly view: StoreView
    }
  | {
      /** Answers the oldest waiting change of keys; `refusal` says why the old ones stay. */
      readonly t: 'keys'
      readonly refusal: { readonly code: ErrorCode; readonly message: string; readonly next: readonly string[] } | null
      readonly view: StoreView
    }
  /** What changed while nobody asked for anything. */
  | { readonly t: 'view'; readonly view: StoreView }
  | { readonly t: 'closed' }
