import { connect, errors, type NatsConnection } from 'nats'
import { type BusAccess, busOptionsOf, refusalMsg } from '../../identity/bus-access.ts'

const CONNECT_TIMEOUT_MS = 5000
/** A half-open connection is noticed within three of them; until then nodes behind NAT seem silent. */
const PING_INTERVAL_MS = 5000

/**
 * Connect to a bus as an operator, for one connection that does not come back by itself.
 * @throws Error with a sentence that says why, also when the servers refuse who one is
 */
export async function openNats(servers: readonly string[], shown: BusAccess): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...servers],
      name: 'edgedeck',
      reconnect: false,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      ignoreClusterUpdates: true,
      ...busOptionsOf(servers, shown, 'operator'),
    })
  } catch (error) {
    if (!(error instanceof errors.AuthorizationError) && !(error instanceof errors.UserAuthenticationExpiredError)) {
      throw error
    }
    throw new Error(refusalMsg(shown, { nowMs: Date.now(), cure: 'log in with edgedeck login' }), { cause: error })
  }
}
