import type { NatsConnection } from 'nats'
import { OPEN_BUS } from '../../identity/bus-access.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { connectBus } from '../link/bus-connect.ts'

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
  const connection = await connectBus({
    servers,
    shown,
    as,
    cure: CURE,
    options: {
      timeout: timeoutMs,
      reconnect: reconnects > 0,
      maxReconnectAttempts: reconnects,
      reconnectTimeWait: 250,
    },
  })
  const domain = shown.credentials?.domain ?? null
  return { connection, apiPrefix: domain === null ? '$JS.API' : `$JS.${domain}.API` }
}

const CURE = 'log in with edgedeck login, or name others under nats.credentials'
