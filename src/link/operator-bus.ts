import type { NatsConnection } from 'nats'
import type { BusAccess } from '../../identity/bus-access.ts'
import type { BusUserKind } from '../../protocol/bus-users.ts'
import { encodeToken } from '../../protocol/subjects.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { FleetBus } from './fleet-bus.ts'

/** As whom a console is on a bus. */
export interface OperatorBusOptions {
  readonly servers: readonly string[]
  /** What is shown and believed, asked before each connection; may throw a sentence. */
  readonly access: () => BusAccess
  readonly identity: IdentitySource
  /** An operator when not told. */
  readonly as?: BusUserKind
}

const CONNECT_TIMEOUT_MS = 5000
/** A half-open connection is noticed within three of them; until then nodes behind NAT seem silent. */
const PING_INTERVAL_MS = 5000

/** The bus of a fleet for the operator that is logged in. */
export function operatorBus({ servers, access, identity, as = 'operator' }: OperatorBusOptions): FleetBus {
  const open = async (): Promise<NatsConnection> => {
    const shown = access()
    // A fleet without a bus does not load its client. Not the client itself: a bundle gives its names to a static import alone.
    const { connectBus } = await import('./bus-connect.ts')
    return connectBus({
      servers,
      shown,
      as,
      cure: 'log in with edgedeck login',
      options: { reconnect: false, timeout: CONNECT_TIMEOUT_MS, pingInterval: PING_INTERVAL_MS, maxPingOut: 2 },
    })
  }
  return new FleetBus({
    open,
    who: () => nameOf(access, identity),
    sites: () => {
      const state = identity.current()
      return state.kind === 'held' ? state.identity.rights.sites : '*'
    },
  })
}

/** The name on the bus is that of the credentials; without any, who the certificate names. */
function nameOf(access: () => BusAccess, identity: IdentitySource): string {
  const { credentials } = access()
  if (credentials !== null) return credentials.name
  const state = identity.current()
  return state.kind === 'held' ? encodeToken(state.identity.name) : 'nobody'
}
