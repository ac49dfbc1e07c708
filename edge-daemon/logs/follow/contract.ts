import type { LogLevel } from '../../../protocol/records.ts'
import type { FollowedFiles } from '../../config/followed-logs.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Batch } from './collector.ts'
import type { EnvelopeFormat } from './envelope.ts'

/** What is followed and how, as configured under `logs`. */
export interface FollowSettings {
  readonly files: readonly FollowedFiles[]
  readonly containers: { readonly dir: string | null; readonly format: EnvelopeFormat }
  readonly units: readonly string[]
  readonly from: 'start' | 'end'
  readonly forward: LogLevel | 'none'
  readonly before: number
  readonly redact: readonly string[]
  readonly maxLineBytes: number
  readonly bytesPerSec: number
}

/** What a follower begins with. */
export interface FollowerStart {
  readonly settings: FollowSettings
  /** Where the checkpoint is. */
  readonly checkpointFile: string
  /** The last one, moved on by what the store holds behind it; null at the first start. */
  readonly checkpoint: Checkpoint | null
  /** How long the store may take to sync what it answered, ms: a checkpoint tells only of what is that old. */
  readonly settleMs: number
}

/** What keeps something from being followed. */
export interface SourceFault {
  /** A path, a pattern or `journald`. */
  readonly what: string
  readonly msg: string
}

/** How following goes. */
export interface FollowStatus {
  readonly files: number
  /** Bytes that are there and not read. */
  readonly lagBytes: number
  /** Since when it has lagged by more than a second's allowance, Unix ms; null while it does not. */
  readonly behindSince: number | null
  /** Cumulative since the start of the daemon. */
  readonly lines: number
  readonly bytes: number
  readonly redacted: number
  readonly lostBytes: number
  readonly faults: readonly SourceFault[]
}

/** Something for the daemon's own log. */
export interface FollowNotice {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly msg: string
}

/** From the follower's thread. */
export type FromFollower =
  | { readonly t: 'batch'; readonly batch: Batch }
  | { readonly t: 'status'; readonly status: FollowStatus }
  | { readonly t: 'notice'; readonly notice: FollowNotice }
  | { readonly t: 'stopped' }

/** To the follower's thread. */
export type ToFollower =
  /** The store keeps a batch, up to a sequence. */
  { readonly t: 'kept'; readonly number: number; readonly seq: number } | { readonly t: 'stop' }
