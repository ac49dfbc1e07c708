import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { DEFAULT_STREAM } from '../config/cloud-address.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { checkBus } from '../doctor/bus-check.ts'
import { checkController } from '../doctor/controller-check.ts'
import { type Finding, FindingsOf, verdictOf } from '../doctor/finding.ts'
import { judgeIdentity } from '../doctor/judge-identity.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { readOperatorBus } from '../identity/operator-bus-access.ts'
import type { FleetAccess } from '../link/access.ts'
import { type FleetTrust, heldTrust } from '../pki/fleet-trust.ts'
import { judgeNodes, lookAtNodes } from './doctor-nodes.ts'
import { checkSsh } from './doctor-ssh.ts'
import { findingsAsText } from './findings-text.ts'
import { type CommandIo, type OutputFormat, printJson } from './output.ts'

/** What `edgedeck doctor` was asked. */
export interface DoctorTask {
  /** Only these nodes; empty = all. */
  readonly names: readonly string[]
  readonly format: OutputFormat
  /** For each step, ms. */
  readonly timeoutMs: number
}

/** What surrounds it. */
export interface DoctorPlace {
  /** The configuration; throws what is wrong with it. */
  readonly load: () => {
    readonly context: NamedContext
    readonly configFile: string
    readonly nodes: readonly NodeAddress[]
    readonly clouds: readonly CloudAddress[]
    readonly access: FleetAccess & { readonly identity: IdentitySource }
  }
  /** Folder of the identity of a context. */
  readonly identityDir: (context: string) => string
  readonly columns: number
  readonly ascii: boolean
  /** Unix ms. */
  readonly now: () => number
}

type Loaded = ReturnType<DoctorPlace['load']>
/** Everything that is asked at once shares it. */
interface Round {
  readonly loaded: Loaded
  readonly task: DoctorTask
  readonly now: () => number
}

/** Test what the fleet of a context needs to be reached and say what is wrong and what to do (requirement D1). Resolves with what all of it says. */
export async function runDoctor(
  task: DoctorTask,
  place: DoctorPlace,
  io: CommandIo,
): Promise<'fine' | 'faulty' | 'untested'> {
  const findings = await diagnose(task, place, io.signal)
  io.stdout.write(
    task.format === 'table'
      ? findingsAsText(findings, { ...place, isBrief: task.names.length === 0 })
      : printJson(findings, task.format),
  )
  return verdictOf(findings)
}

/** @see runDoctor */
export async function diagnose(task: DoctorTask, place: DoctorPlace, signal: AbortSignal): Promise<readonly Finding[]> {
  const say = new FindingsOf('configuration')
  let loaded: Loaded
  try {
    loaded = place.load()
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error
    say.fault('file', error.message.replaceAll('\n', '; '), error.next.join('; ') || 'correct the configuration')
    return say.all
  }
  const { context, configFile, access } = loaded
  judgeConfiguration(loaded, say)
  const { now } = place
  const dir = place.identityDir(context.name)
  const { held, fault } = trustIn(dir)
  if (fault !== null) say.fault('trust', fault, 'edgedeck login')
  const state = access.identity.current()
  const identity = judgeIdentity({
    context,
    state,
    trust: held?.trust ?? null,
    denied: held?.denied ?? null,
    nowMs: now(),
  })
  const round = { loaded, task, now }
  const { timeoutMs } = task
  const configured = `the context ${context.name} in ${configFile}`
  const asked =
    context.controller === null
      ? Promise.resolve({ findings: [], denyVersion: null })
      : checkController({ controller: context.controller, held, configured, timeoutMs, signal, now })
  const { names } = task
  const question = { nodes: loaded.nodes, access, names, held, configured, timeoutMs, signal, now }
  const wanted = loaded.nodes.filter(({ key }) => names.length === 0 || names.includes(key))
  const [controller, buses, nodes, shells] = await Promise.all([
    asked,
    checkBuses(round, dir, configured),
    lookAtNodes(question),
    checkSsh({ context, configFile, nodes: wanted, timeoutMs, signal }),
  ])
  const judged = judgeNodes(nodes, question, controller.denyVersion)
  return [...say.all, ...identity, ...controller.findings, ...buses, ...bySubject([...judged, ...shells])]
}

/** What is said of one node together, in the order of the nodes. */
function bySubject(findings: readonly Finding[]): readonly Finding[] {
  return [...Map.groupBy(findings, ({ subject }) => subject).values()].flat()
}

function judgeConfiguration({ context, configFile, nodes, clouds }: Loaded, say: FindingsOf): void {
  const parts = [
    `${nodes.length} node${nodes.length === 1 ? '' : 's'} listed`,
    context.nats === null ? 'no bus' : 'a bus',
    `${clouds.length} region${clouds.length === 1 ? '' : 's'}`,
    context.controller === null ? 'no controller' : 'a controller',
  ]
  say.ok(
    'file',
    `${configFile}: context ${context.name}${context.production ? ', PRODUCTION' : ''}, ${parts.join(', ')}`,
  )
  if (context.insecure) {
    say.warning(
      'insecure',
      'insecure: true lets plain links off this machine',
      'let the nodes join a fleet, and take it out',
    )
  }
  if (nodes.length === 0 && context.nats === null) {
    say.fault(
      'nodes',
      'nothing says where nodes are',
      'list them under nodes:, or name a bus under nats:, or: edgedeck context add',
    )
  }
}

function trustIn(dir: string): { readonly held: FleetTrust | null; readonly fault: string | null } {
  try {
    return { held: heldTrust(dir), fault: null }
  } catch (error) {
    return { held: null, fault: untrusted(messageOf(error)) }
  }
}

async function checkBuses(
  { loaded, task, now }: Round,
  identityDir: string,
  configured: string,
): Promise<readonly Finding[]> {
  const { context, clouds, configFile, access } = loaded
  const { identity } = access
  const { nats } = context
  const busAccess = () =>
    readOperatorBus({ nats: nats ?? { credentials: null, ca: null }, configFile, identityDir, identity })
  const state = identity.current()
  const sites = state.kind === 'held' ? state.identity.rights.sites : '*'
  const shared = { access: busAccess, configured, timeoutMs: task.timeoutMs, now }
  const hub = nats && { name: 'nats', servers: nats.servers, stream: DEFAULT_STREAM }
  const found = await Promise.all([
    ...(hub === null
      ? []
      : [checkBus({ ...shared, area: 'bus', address: hub, withStreams: clouds.length === 0, presenceOf: sites })]),
    ...clouds.map((address) => checkBus({ ...shared, area: 'region', address, withStreams: true, presenceOf: [] })),
  ])
  return found.flat()
}
