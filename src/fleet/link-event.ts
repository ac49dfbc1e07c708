import type { DaemonFrame } from '../../protocol/frames.ts'
import type { Heartbeat } from '../../protocol/presence.ts'
import type { StatRecord } from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'

/**
 * What a link tells the fleet about one node, whatever carries its frames (WebSocket today, a bus or a recording later).
 * Reasons are sentences for an operator; they may quote a peer and are made safe when the fleet takes them.
 */
export type LinkEvent =
  /** An attempt began; `attempt` counts from 1 since the last session. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** The transport stands; the node's `welcome` comes as a frame. `certified` when a certificate has named the node. */
  | { readonly kind: 'opened'; readonly certified?: boolean; readonly route?: 'direct' | 'nats' }
  /** It was heard on the bus, whether or not it can be spoken to. */
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat; readonly site: string; readonly sizeBytes: number }
  /** A decoded frame; `sizeBytes` is its length on the wire. */
  | { readonly kind: 'frame'; readonly frame: DaemonFrame; readonly sizeBytes: number }
  /** What a node kept of its own state, read back later; applied at the time it tells of, in order. */
  | { readonly kind: 'sample'; readonly record: SampleRecord }
  /** A statistic over results of a past time, where nothing finer is known. */
  | { readonly kind: 'stat'; readonly record: StatRecord }
  /** Round trip and clock offset (node's clock minus ours), the best of the last probes. */
  | { readonly kind: 'clock'; readonly rttMs: number | null; readonly offsetMs: number }
  /** No session could be made; `retryInMs` is null when nobody will try again. */
  | { readonly kind: 'refused'; readonly reason: string; readonly retryInMs: number | null }
  /** A session that stood has ended. */
  | { readonly kind: 'closed'; readonly reason: string; readonly retryInMs: number | null }
  /** The node breaks the protocol and `dropped` frames were not taken, or (0) it refused a frame of ours. */
  | { readonly kind: 'misbehaved'; readonly code: string; readonly message: string; readonly dropped: number }
