import type { NamedContext } from '../config/context.ts'
import { IdentityFolder } from '../identity/identity-source.ts'
import { readOperatorBus } from '../identity/operator-bus-access.ts'
import type { FleetAccess } from '../link/access.ts'
import { operatorBus } from '../link/operator-bus.ts'

/** Access to a fleet that is not in the configuration yet, as whoever an identity's folder says. */
export function accessOf(
  { nats }: Pick<NamedContext, 'nats'>,
  {
    configFile,
    identityDir,
    version,
  }: { readonly configFile: string; readonly identityDir: string; readonly version: string },
): FleetAccess & { readonly identity: IdentityFolder } {
  const identity = new IdentityFolder(identityDir)
  if (nats === null) return { version, identity }
  const access = () => readOperatorBus({ nats, configFile, identityDir, identity })
  return { version, identity, bus: operatorBus({ servers: nats.servers, access, identity }) }
}
