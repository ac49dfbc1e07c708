import { connect, errors, type NatsConnection } from 'nats'
import { busOptionsOf, OPEN_BUS, refusalMsg } from '../../identity/bus-access.ts'
import type { CloudAddress } from '../config/cloud-address.ts'

/** A connection to a region, and where its JetStream is asked. */
export interface CloudConnection {
  readonly connection: NatsConnection
  /** Prefix of the API, e.g. `$JS.API`. */
  readonly apiPrefix: string
}

/**
 * Connect to a region as whoever its address says. `reconnects` is how often the client tries to come back by itself.
 * @throws Error with a sentence that says why, also when the servers refuse who one is
 */
export async function openCloud(
  { servers, access = () => OPEN_BUS, as = 'operator' }: CloudAddress,
  { timeoutMs, reconnects }: { readonly timeoutMs: number; readonly reconnects: number },
): Promise<CloudConnection> {
  const shown = access()
  try {
    const connection = await connect({
      servers: [...servers],
      name: 'edgedeck',
      timeout: timeoutMs,
      reconnect: reconnects > 0,
      maxReconnectAttempts: reconnects,
      reconnectTimeWait: 250,
      ignoreClusterUpdates: true,
      ...busOptionsOf(servers, shown, as),
    })
    const domain = shown.credentials?.domain ?? null
    return { connection, apiPrefix: domain === null ? '$JS.API' : `$JS.${domain}.API` }
  } catch (error) {
    if (!(error instanceof errors.AuthorizationError) && !(error instanceof errors.UserAuthenticationExpiredError))
      throw error
    throw new Error(refusalMsg(shown, { nowMs: Date.now(), cure: CURE }), { cause: error })
  }
}

const CURE = 'log in with edgedeck login, or name others under nats.credentials'
