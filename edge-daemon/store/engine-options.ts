import { type Disk, nodeDisk } from './disk.ts'
import type { ClassLimits } from './retention-plan.ts'
import type { StoreKeys } from './seal.ts'

/** How an engine is opened; the sizes are in bytes. */
export interface EngineOptions {
  readonly dir: string
  readonly nodeName: string
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly keys?: StoreKeys | null | undefined
  /** Whether a commit is synced before it is answered; else `LogEngine.flush` syncs it. */
  readonly durability?: 'sync' | 'async' | undefined
  /** What is kept on a disk that others fill; 0 when it is left out. */
  readonly floorBytes?: number | undefined
  readonly limits?: ClassLimits | undefined
  /** @see StoreOptions.awaited; null for every target that is known. */
  readonly awaited?: readonly (readonly string[])[] | null | undefined
  readonly disk?: Disk
  /** Unix ms. */
  readonly nowMs?: () => number
  /** Milliseconds that never go back. */
  readonly monotonicMs?: () => number
}

/** The same with nothing left out. */
export type FullOptions = { readonly [K in keyof EngineOptions]-?: Exclude<EngineOptions[K], undefined> }

/** Put in what was left out. */
export function completed(options: EngineOptions): FullOptions {
  return {
    disk: nodeDisk,
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    ...options,
    durability: options.durability ?? 'sync',
    keys: options.keys ?? null,
    floorBytes: options.floorBytes ?? 0,
    limits: options.limits ?? {},
    awaited: options.awaited ?? null,
  }
}
