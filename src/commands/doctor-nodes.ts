import { HEARTBEAT_EVERY_MS, type Heartbeat } from '../../protocol/presence.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { type Endpoint, probeEndpoint } from '../doctor/endpoint-probe.ts'
import { type Finding, FindingsOf } from '../doctor/finding.ts'
import { judgeEndpoint } from '../doctor/judge-endpoint.ts'
import { judgeNode } from '../doctor/judge-node.ts'
import { checkMetrics } from '../doctor/metrics-check.ts'
import type { NodeDetail } from '../fleet/view.ts'
import type { IdentitySource, IdentityState } from '../identity/identity-source.ts'
import type { FleetAccess } from '../link/access.ts'
import type { FleetTrust } from '../pki/fleet-trust.ts'
import { FleetSession } from './fleet-session.ts'

/** The nodes to look at, and as whom. */
export interface NodesQuestion {
  /** The inventory. */
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess & { readonly identity: IdentitySource }
  /** Only these; empty = all, also those that are only heard on the bus. */
  readonly names: readonly string[]
  /** Whom the operator believes; null before the first login. */
  readonly held: FleetTrust | null
  /** Where addresses stand, for cures. */
  readonly configured: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Unix ms. */
  readonly now: () => number
}

/** What came of looking at the nodes. */
export interface NodesLook {
  readonly details: readonly NodeDetail[]
  /** By key, and by site and name. */
  readonly heard: ReadonlyMap<string, Heartbeat>
  /** What came of going straight to the address of a node, by its key. */
  readonly probes: ReadonlyMap<string, readonly Finding[]>
  readonly atMs: number
}

/** Look at all nodes at once: straight, through the bus, and by their heartbeats. */
export async function lookAtNodes(question: NodesQuestion): Promise<NodesLook> {
  const { access, names, timeoutMs, signal, now } = question
  const listed = question.nodes.filter(({ key }) => isAsked(key, names))
  const heard = new Map<string, Heartbeat>()
  const forget = access.bus?.onPresence(({ site, node }, heartbeat) => {
    for (const key of [node, `${site}/${node}`]) heard.set(key, heartbeat)
  })
  const interest = { status: true, alertBacklog: null, logs: null }
  const session = new FleetSession({ nodes: listed, access, interest })
  const detailOf = (key: string): NodeDetail | null => session.fleet.nodeDetail(key, 'now', now())
  const isLookedAt = (key: string): boolean => {
    const detail = detailOf(key)
    // Where there is a bus, one way that fails is not the end.
    if (access.bus === undefined && detail?.link.lastReason != null) return true
    return detail?.status != null && detail.link.clockOffsetMs !== null
  }
  try {
    session.start()
    const probing = Promise.all(listed.map(async (node) => [node.key, await probeNode(node, question)] as const))
    // Who is only heard on the bus may be silent for the time between two heartbeats.
    const waitMs = access.bus === undefined ? timeoutMs : HEARTBEAT_EVERY_MS + timeoutMs
    const wanted = ({ nodes }: { readonly nodes: readonly { readonly key: string }[] }): boolean =>
      nodes.length > 0 && nodes.every(({ key }) => isLookedAt(key))
    await session.until(wanted, waitMs, signal)
    const probes = new Map(await probing)
    const { nodes } = session.fleet.view('now', now())
    const details = nodes.filter(({ key }) => isAsked(key, names)).map(({ key }) => detailOf(key))
    return { details: details.filter((detail) => detail !== null), heard, probes, atMs: now() }
  } finally {
    forget?.()
    await session.stop()
  }
}

/** What is to be said of the nodes; `denyVersion` is that of the list in force at the controller, null when not known. */
export function judgeNodes(look: NodesLook, question: NodesQuestion, denyVersion: number | null): readonly Finding[] {
  const { access, names, nodes } = question
  const hasBus = access.bus !== undefined
  const state = access.identity.current()
  const rights = state.kind === 'held' ? state.identity.rights : null
  const unknown = names.filter((name) => !look.details.some(({ node }) => isAsked(node.key, [name])))
  const strange = unknown.flatMap((name) => {
    const say = new FindingsOf('node', untrusted(name))
    const where = hasBus ? 'it is not listed, and it was not heard on the bus' : 'it is not listed'
    say.fault('name', where, 'correct the name, or list it under nodes:')
    return say.all
  })
  const found = look.details.flatMap((detail) => {
    const { key, name } = detail.node
    const say = new FindingsOf('node', name)
    const probed = look.probes.get(key) ?? []
    const isReached = detail.status !== null
    const isExplained = !hasBus && probed.some((finding) => finding.state === 'fault')
    if (isReached || !isExplained) {
      const hasAddress = nodes.some((address) => address.key === key && address.url !== null)
      const heartbeat = look.heard.get(key) ?? null
      judgeNode({ detail, heartbeat, hasBus, hasAddress, rights, denyVersion, nowMs: look.atMs }, say)
    }
    // Who is reached through the bus may well not be reached straight.
    const straight = isReached && detail.link.route === 'nats' ? probed.map(asNote) : probed
    return [...straight.map((one) => ({ ...one, subject: name })), ...say.all]
  })
  return [...strange, ...found]
}

function isAsked(key: string, names: readonly string[]): boolean {
  return names.length === 0 || names.some((name) => name === key || name.endsWith(`/${key}`))
}

/** Go straight to a node's address, as far as it goes. */
async function probeNode(node: NodeAddress, question: NodesQuestion): Promise<readonly Finding[]> {
  const { held, configured, timeoutMs, access, now } = question
  const { key, site, url } = node
  if (url === null) return []
  const say = new FindingsOf('node', key)
  const state: IdentityState = access.identity.current()
  const endpoint = endpointOf(url, state)
  const isSecure = endpoint.speaks === 'tls'
  const name = site === undefined ? key : `${site}/${key}`
  const expected =
    held === null || !isSecure
      ? ({ by: 'nobody' } as const)
      : ({ by: 'fleet', trust: held.trust, kind: 'node', name } as const)
  const probe = await probeEndpoint(endpoint, timeoutMs)
  const subject = { endpoint, expected, what: 'edge-daemon', configured, nowMs: now() }
  const isGood = judgeEndpoint(probe, subject, say)
  if (isGood && (!isSecure || state.kind === 'held')) {
    const scraped = { key, url, ...(site === undefined ? {} : { site }) }
    await checkMetrics(scraped, { identity: state, timeoutMs, now }, say)
  }
  return say.all
}

function endpointOf(url: string, state: IdentityState): Endpoint {
  const { hostname, port, protocol } = new URL(url)
  const isSecure = protocol === 'wss:'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port !== '' ? Number(port) : isSecure ? 443 : 80,
    speaks: isSecure ? 'tls' : 'plain',
    tls: { ca: null, own: state.kind === 'held' ? state.identity.tls : null },
  }
}

function asNote(finding: Finding): Finding {
  return finding.state === 'fault' || finding.state === 'warning' ? { ...finding, state: 'note' } : finding
}
