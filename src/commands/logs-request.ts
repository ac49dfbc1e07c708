import type { LogFilter } from '../../protocol/log-filter.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeFilter } from '../fleet/filter.ts'
import type { FleetAccess } from '../link/access.ts'
import type { LogStyle } from './logs-style.ts'

/** What `edgedeck logs` is asked; times are Unix ms on our clock. */
export interface LogsWish {
  readonly kind: 'logs'
  /** Only these nodes; empty = all. */
  readonly names: readonly string[]
  /** Only nodes that match, among them. */
  readonly selector: NodeFilter | null
  readonly filter: LogFilter
  readonly follow: boolean
  readonly fromMs: number
  /** Null for what will still come. */
  readonly toMs: number | null
  /** The newest that many lines; null for all of the range. */
  readonly tail: number | null
  /** Newest first. */
  readonly reverse: boolean
  /** Lines of the same source before and after each that was found. */
  readonly around: { readonly before: number; readonly after: number }
  /** Count instead of print. */
  readonly histogram: boolean
  /** Look at what reached the cloud instead of what the nodes keep. */
  readonly fromCloud: boolean
  readonly style: LogStyle
  readonly timeoutMs: number
}
/** What `edgedeck logs` was asked, and of whom. */
export interface LogsRequest extends Omit<LogsWish, 'kind'> {
  readonly nodes: readonly NodeAddress[]
  readonly clouds: readonly CloudAddress[]
  readonly access: FleetAccess
  /** Whether what is printed may be coloured. */
  readonly colour: boolean
}
