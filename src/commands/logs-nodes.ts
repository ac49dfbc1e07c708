import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeFilter } from '../fleet/filter.ts'
import type { FleetView, LinkView } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import type { SearchedNode } from '../link/log-search-contract.ts'
import type { FleetSession } from './fleet-session.ts'
import type { CommandIo } from './output.ts'

/** Whom a command about logs asks, and how long it waits for them. */
export interface AskedNodes {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly selector: NodeFilter | null
  /** How long to wait for answers, ms. */
  readonly timeoutMs: number
}

/** Nodes that answered and match; `missing` are the names of those that did not answer, which were told. */
export interface FoundNodes {
  readonly found: readonly SearchedNode[]
  readonly missing: readonly string[]
}

/**
 * Wait until every node answers and its clock is measured, or is known not to; tell of those that do not. Who does not
 * answer is missed whether or not it would match: nobody knows.
 */
export async function findNodes(session: FleetSession, asked: AskedNodes, io: CommandIo): Promise<FoundNodes> {
  // Where there is a bus, one way that fails is not the end: the bus itself may only be on its way.
  const isFinal = asked.access.bus === undefined
  const linkOf = (key: string): LinkView | undefined => session.fleet.nodeDetail(key, 'now', Date.now())?.link
  const answers = (key: string): boolean => linkOf(key)?.clockOffsetMs != null && linkOf(key)?.phase === 'open'
  const isSettled = ({ nodes }: FleetView): boolean =>
    nodes.every(({ key, state }) => {
      if (answers(key)) return asked.selector === null || state === 'up'
      return isFinal && linkOf(key)?.phase !== 'open' && linkOf(key)?.lastReason != null
    })
  const view = await session.until(isSettled, asked.timeoutMs, io.signal)
  const found: SearchedNode[] = []
  const missing: string[] = []
  for (const node of view.nodes) {
    const link = session.links.get(node.key)
    const detail = linkOf(node.key)
    if (link === undefined || detail?.clockOffsetMs == null || !answers(node.key)) {
      missing.push(node.name)
      const why = detail?.lastReason ?? untrusted(`no answer within ${asked.timeoutMs} ms`)
      if (!io.signal.aborted) io.stderr.write(`edgedeck: ${node.name}: ${why}\n`)
    } else if (asked.selector === null || asked.selector.matches(node)) {
      found.push({ key: node.key, link, offsetMs: detail.clockOffsetMs })
    }
  }
  if (found.length === 0 && missing.length === 0 && !io.signal.aborted) io.stderr.write('edgedeck: no node matches\n')
  return { found, missing }
}
