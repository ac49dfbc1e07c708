import { type Disk, nodeDisk } from './disk.ts'
import type { ClassLimits } from './retention-plan.ts'
import type { StoreKeys } from './seal.ts'

/** How an engine is opened; the sizes are in bytes. */
export interface EngineOptions {
  readonly dir: string
  readonly nodeName: string
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly keys?: StoreKeys | null
  /** Whether a commit is synced before it is answered; else `LogEngine.flush` syncs it. */
  readonly durability?: 'sync' | 'async' | undefined
  /** What is kept on a disk that others fill. */
  readonly floorBytes?: number | undefined
  readonly limits?: ClassLimits | undefined
  readonly disk?: Disk
  /** Unix ms. */
  readonly nowMs?: () => number
  /** Milliseconds that never go back. */
  readonly monotonicMs?: () => number
}

/** Options with all that was left open. */
export type FullOptions = Required<EngineOptions> & {
  floorBytes: number
  limits: ClassLimits
  durability: 'sync' | 'async'
}

/** Fill in what was left open. */
export function completed(options: EngineOptions): FullOptions {
  return {
    keys: null,
    disk: nodeDisk,
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    ...options,
    durability: options.durability ?? 'sync',
    floorBytes: options.floorBytes ?? 0,
    limits: options.limits ?? {},
  }
}
