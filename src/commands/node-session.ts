import type { NodeAddress } from '../config/node-address.ts'
import type { NodeDetail } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import type { NodeLink } from '../link/link.ts'
import { FleetSession } from './fleet-session.ts'

/** A node that answers: its link, and what it says of itself. */
export interface OpenNode {
  readonly link: NodeLink
  /** The last status and identity that came; both are there. */
  detail(): NodeDetail
  /** The node's clock minus ours, ms. */
  readonly clockOffsetMs: number
  stop(): Promise<void>
}

/** A node, or why it does not answer; the sentence is safe to show. */
export type OpenedNode =
  | { readonly ok: true; readonly node: OpenNode }
  | { readonly ok: false; readonly reason: string }

/** Connect to one node and wait for its first status and the measure of its clock. */
export async function openNode(
  address: NodeAddress,
  {
    access,
    timeoutMs,
    signal,
  }: { readonly access: FleetAccess; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<OpenedNode> {
  const session = new FleetSession({
    nodes: [address],
    access,
    interest: { status: true, alertBacklog: null, logs: null },
  })
  const detail = (): NodeDetail | null => session.fleet.nodeDetail(address.key, 'now', Date.now())
  const answers = (): boolean => {
    const now = detail()
    return now !== null && now.identity !== null && now.status !== null && now.link.clockOffsetMs !== null
  }
  session.start()
  // Where there is a bus, one way that fails is not the end.
  const isRefused = (): boolean => access.bus === undefined && detail()?.link.lastReason != null
  await session.until(() => answers() || isRefused(), timeoutMs, signal)
  const link = session.links.get(address.key)
  const found = detail()
  if (link === undefined || found === null || !answers()) {
    await session.stop()
    return { ok: false, reason: found?.link.lastReason ?? `no answer within ${timeoutMs} ms` }
  }
  return {
    ok: true,
    node: {
      link,
      detail: () => detail() ?? found,
      clockOffsetMs: Math.round(found.link.clockOffsetMs ?? 0),
      stop: () => session.stop(),
    },
  }
}
