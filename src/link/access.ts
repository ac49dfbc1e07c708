import type { IdentitySource } from '../identity/identity-source.ts'
import type { FleetBus } from './fleet-bus.ts'
import type { CommandJournal } from './link.ts'

/** As whom a fleet is reached. */
export interface FleetAccess {
  /** Version of this console, which nodes are told. */
  readonly version: string
  /** Who the operator is; absent = nobody, for nodes that have not joined a fleet. */
  readonly identity?: IdentitySource
  /** Writes down what is sent to change something; absent = nobody. */
  readonly journal?: CommandJournal
  /** The fleet's bus, for nodes that cannot be reached straight; absent = there is none. */
  readonly bus?: FleetBus
  /** Brings what is revoked to the identity for as long as a session runs; absent = nobody is asked for it. */
  readonly revocations?: { start(): void; stop(): Promise<void> }
}
