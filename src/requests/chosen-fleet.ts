import { homedir } from 'node:os'
import { join } from 'node:path'
import type { OperatorJournal } from '../audit/command-journal.ts'
import { currentJournal, operatorJournal } from '../audit/own-journal.ts'
import type { FleetFlags } from '../command-line/command-options.ts'
import { Inventory } from '../commands/inventory.ts'
import { JournalShipping } from '../commands/journal-shipping.ts'
import { type FindPlacesOf, remotePlaces } from '../commands/remote-places.ts'
import type { ScreenSettings } from '../commands/screen.ts'
import { type CloudAddress, DEFAULT_STREAM, mergeClouds } from '../config/cloud-address.ts'
import { chooseContext, loadConsoleConfig } from '../config/console-config.ts'
import { mustNotBeExposed, type NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { consolePaths } from '../config/paths.ts'
import type { RecordSettings } from '../config/record-settings.ts'
import { IdentityFolder } from '../identity/identity-source.ts'
import { readOperatorBus } from '../identity/operator-bus-access.ts'
import type { FleetAccess } from '../link/access.ts'
import { mergeNodes, parseNodeFlag } from '../link/directory.ts'
import { operatorBus } from '../link/operator-bus.ts'
import { DenyFollower } from '../pki/deny-follower.ts'
import type { JournalPlace } from '../rollout/open-rollouts.ts'

/** What runs. */
export interface Program {
  readonly version: string
  /** Folder with `keymaps/` and `themes/`. */
  readonly assetsDir: string
}

/** Access to a bus where the configuration names no files for it: that of the context's identity. */
const OWN_ACCESS = { credentials: null, ca: null } as const

/** The fleet that a command is about, and all it takes to reach it. */
export interface ChosenFleet {
  readonly context: NamedContext
  readonly configFile: string
  readonly nodes: readonly NodeAddress[]
  readonly clouds: readonly CloudAddress[]
  /** {@link clouds}, or where none is configured the bus. */
  readonly regions: readonly CloudAddress[]
  readonly access: FleetAccess & { readonly identity: IdentityFolder; readonly journal: OperatorJournal }
  readonly inventory: Inventory
  readonly screen: ScreenSettings
  /** Where shells are opened, and how they are recorded. */
  readonly shells: { readonly find: FindPlacesOf; readonly recordingsDir: string; readonly record: RecordSettings }
  /** Where the journals of rollouts are: on the fleet's bus, or else in a folder of this user. */
  readonly rollouts: JournalPlace
  /** Folder of the journals of what this user's consoles send, who is to have them, and what brings them there. */
  readonly audit: {
    readonly dir: string
    readonly clouds: readonly CloudAddress[]
    readonly shipping: JournalShipping
  }
}

/** The fleet of the context that was chosen, from files and flags. Reaches out to nobody. @throws EdgeError `USAGE` | `CONFIG_…` */
export function chooseFleet(flags: FleetFlags, { version, assetsDir }: Program, signal: AbortSignal): ChosenFleet {
  const paths = consolePaths(process.env, homedir())
  const configFile = flags.config ?? paths.configFile
  const config = loadConsoleConfig(configFile, flags.config !== null)
  const context = chooseContext(config, flags.context)
  const nodes = mergeNodes(flags.node.map(parseNodeFlag), context.nodes)
  mustNotBeExposed(nodes, context)
  const { keymapFile, picturesDir, logsDir } = paths
  const screen = { config, keymapFile, picturesDir, logsDir, assetsDir }
  const identityDir = join(paths.identitiesDir, context.name)
  const identity = new IdentityFolder(identityDir)
  const onFault = (msg: string): void => void process.stderr.write(`edgedeck: ${msg}\n`)
  const { nats } = context
  const busAccess = () => readOperatorBus({ nats: nats ?? OWN_ACCESS, configFile, identityDir, identity })
  const bus = nats && operatorBus({ servers: nats.servers, access: busAccess, identity })
  const regions = mergeClouds(flags.cloud, context.clouds).map((region) => ({ access: busAccess, ...region }))
  const hub = nats && { name: 'nats', servers: nats.servers, stream: DEFAULT_STREAM, access: busAccess }
  const archives = regions.length > 0 || hub === null ? regions : [hub]
  const place = { dir: paths.auditDir, context: context.name, identity }
  const shipping = new JournalShipping({ clouds: archives, file: () => currentJournal(place) })
  const journal = operatorJournal(place, { onFault, onWritten: () => shipping.wrote() })
  const own = () => {
    const state = identity.current()
    return state.kind === 'held' ? state.identity.tls : null
  }
  const { controller } = context
  const revocations = controller === null ? null : new DenyFollower({ controller, dir: identityDir, own })
  const access = {
    version,
    identity,
    journal,
    ...(bus === null ? {} : { bus }),
    ...(revocations === null ? {} : { revocations }),
  }
  const audit = { dir: paths.auditDir, clouds: archives, shipping }
  const inventory = new Inventory({ listed: nodes, configFile, signal, ...(bus === null ? {} : { bus }) })
  const find = remotePlaces({ context, configFile })
  const shells = { find, recordingsDir: paths.recordingsDir, record: config.record }
  const rollouts: JournalPlace = nats
    ? { kind: 'bus', servers: nats.servers, access: busAccess }
    : { kind: 'folder', dir: join(paths.rolloutsDir, context.name) }
  return {
    context,
    configFile,
    nodes,
    rollouts,
    shells,
    inventory,
    clouds: regions,
    regions: archives,
    access,
    screen,
    audit,
  }
}
