import { type ConnectionOptions, connect, errors, type NatsConnection } from 'nats'
import { type BusAccess, busOptionsOf, refusalMsg } from '../../identity/bus-access.ts'
import type { BusUserKind } from '../../protocol/bus-users.ts'

/** A connection to servers of a bus. */
export interface BusDial {
  readonly servers: readonly string[]
  /** What is shown and believed. */
  readonly shown: BusAccess
  readonly as: BusUserKind
  /** What gets new credentials, an imperative. */
  readonly cure: string
  readonly options: ConnectionOptions
}

/** Connect as somebody. Rejects with a sentence that says why, also when the servers refuse who one is. */
export async function connectBus({ servers, shown, as, cure, options }: BusDial): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...servers],
      name: 'edgedeck',
      ignoreClusterUpdates: true,
      ...options,
      ...busOptionsOf(servers, shown, as),
    })
  } catch (error) {
    if (!(error instanceof errors.AuthorizationError) && !(error instanceof errors.UserAuthenticationExpiredError)) {
      throw error
    }
    throw new Error(refusalMsg(shown, { nowMs: Date.now(), cure }), { cause: error })
  }
}
