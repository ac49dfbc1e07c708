import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { nearest } from '../../settings/document.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeSelection } from '../fleet/node-selection.ts'
import type { NodeView } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import { FleetSession } from './fleet-session.ts'

/** A node of a selection, with the site that the list or itself says; null where nobody does. */
export interface SelectedNode {
  readonly key: string
  readonly site: string | null
}

/** What was selected, and who is not in it only because it did not answer. */
export interface SelectedNodes {
  readonly nodes: readonly SelectedNode[]
  readonly silent: readonly string[]
}

const MAX_NAMES_TOLD = 10

/**
 * The nodes that a selection holds, in the order of the list. Where the list does not tell, the nodes are asked how they are.
 * @throws EdgeError `USAGE` for a name that nobody has, and when nothing is left
 */
export async function selectNodes(
  selection: NodeSelection,
  {
    nodes,
    access,
    timeoutMs,
    signal,
  }: {
    readonly nodes: readonly NodeAddress[]
    readonly access: FleetAccess
    /** How long nodes may take to say how they are. */
    readonly timeoutMs: number
    readonly signal: AbortSignal
  },
): Promise<SelectedNodes> {
  const keys = nodes.map(({ key }) => key)
  const strange = selection.names.filter((name) => !keys.includes(name))
  if (strange.length > 0) throw unknownNodes(strange, keys)
  const candidates = nodes.filter((node) => selection.mayHold(node))
  const asked = candidates.filter((node) => !selection.tells(node))
  const views = asked.length === 0 ? new Map<string, NodeView>() : await ask(asked, { access, timeoutMs, signal })
  const chosen = candidates.flatMap((node) => {
    const view = views.get(node.key) ?? null
    return selection.holds(node, view) ? [{ key: node.key, site: node.site ?? view?.site ?? null }] : []
  })
  const isSilent = (key: string): boolean => views.get(key)?.state !== 'up' && !chosen.some((node) => node.key === key)
  const silent = asked.map(({ key }) => key).filter(isSilent)
  if (chosen.length > 0) return { nodes: chosen, silent }
  const unheard = silent.length === 0 ? '' : `; ${silent.length} did not answer: ${brief(silent)}`
  throw new EdgeError('USAGE', {
    message: `no node is selected${unheard}`,
    next: ['see what there is with edgedeck nodes, and choose wider'],
  })
}

async function ask(
  nodes: readonly NodeAddress[],
  { access, timeoutMs, signal }: { access: FleetAccess; timeoutMs: number; signal: AbortSignal },
): Promise<ReadonlyMap<string, NodeView>> {
  const session = new FleetSession({ nodes, access, interest: { status: true, alertBacklog: null, logs: null } })
  session.start()
  try {
    const isSettled = (node: NodeView): boolean => {
      if (node.state === 'up') return node.inferencesPerSec !== null
      // Where there is a bus, one way that fails is not the end.
      return access.bus === undefined && session.fleet.nodeDetail(node.key, 'now', 0)?.link.lastReason != null
    }
    const view = await session.until((now) => now.nodes.every(isSettled), timeoutMs, signal)
    return new Map(view.nodes.map((node) => [node.key, node]))
  } finally {
    await session.stop()
  }
}

function unknownNodes(strange: readonly string[], keys: readonly string[]): EdgeError {
  const near = strange.flatMap((name) => nearest(name, keys) ?? [])
  return new EdgeError('USAGE', {
    message: `no node is called ${untrusted(brief(strange))}`,
    next: [near.length > 0 ? `did you mean ${brief([...new Set(near)])}?` : `the nodes are ${brief(keys)}`],
  })
}

/** The first names, and how many more there are. */
export function brief(names: readonly string[]): string {
  const told = names.slice(0, MAX_NAMES_TOLD).join(', ')
  return names.length > MAX_NAMES_TOLD ? `${told} and ${names.length - MAX_NAMES_TOLD} more` : told
}
