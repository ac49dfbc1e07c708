import { CAME_TO_NOTHING_TOLD_MS, type ChangePhase } from '../../protocol/change.ts'
import type { Heartbeat } from '../../protocol/presence.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { type NodeStatus, safe } from './clean.ts'

/** What a row says of the change that a node carries, and of configuration that is not what was confirmed. */
export interface ChangeView {
  /** `probation 42s, 2.0.0` (so long until it goes back), `reverted 2.0.0: slow`, `config drift: 2`; null when there is nothing to tell. */
  readonly change: UntrustedText | null
  /** Phase of the change that `change` tells of. */
  readonly changePhase: ChangePhase | null
}

const NOTHING: ChangeView = { change: null, changePhase: null }

/** The change of a status as a row tells it. Ages and countdowns are by the node's own clock. */
export function changeView(status: NodeStatus | null): ChangeView {
  const changes = status?.changes
  if (status === null || changes === undefined) return NOTHING
  const { change } = changes
  const came = change === null ? null : changeText(change, status.at)
  const drift = changes.drift?.length ?? 0
  const parts = [came, drift === 0 ? null : `config drift: ${drift}`].filter((part) => part !== null)
  if (parts.length === 0) return NOTHING
  // What somebody asked for is no trouble of the node.
  const isAsked = change?.fault?.kind === 'asked'
  return { change: safe(parts.join('; ')), changePhase: came === null || isAsked ? null : (change?.phase ?? null) }
}

/** The same of a heartbeat, which tells only of a change that there is something to tell of. */
export function heardChange({ at, change }: Heartbeat): ChangeView {
  if (change === undefined) return NOTHING
  const { kind = 'model', version, origin, phase, until = null, fault } = change
  const item = { kind, version, ...(origin === undefined ? {} : { origin }) }
  const told = { phase, item, until, fault: fault === undefined ? null : { kind: fault } }
  const text = changeText({ ...told, isLocked: true, since: at, progress: null }, at)
  return text === null ? NOTHING : { change: safe(text), changePhase: fault === 'asked' ? null : phase }
}

/** What of a change is told. */
interface Change {
  readonly phase: ChangePhase
  readonly item: { readonly kind: string; readonly version: string; readonly origin?: 'node' }
  readonly until: number | null
  readonly fault: { readonly kind: string } | null
  readonly isLocked: boolean
  readonly since: number
  readonly progress: { readonly doneBytes: number; readonly totalBytes: number } | null
}

function changeText({ phase, item, until, fault, isLocked, since, progress }: Change, atMs: number): string | null {
  const own = item.origin === undefined ? '' : 'own '
  const what = item.kind === 'model' ? `${own}${item.version}` : `${item.kind} ${item.version}`
  const cameToNothing = phase === 'reverted' || phase === 'failed'
  if (cameToNothing && (isLocked || atMs - since < CAME_TO_NOTHING_TOLD_MS)) {
    if (fault?.kind === 'asked') return `${phase === 'failed' ? 'dropped' : 'taken back'} ${what}`
    return `${phase} ${what}${fault === null ? '' : `: ${fault.kind}`}`
  }
  if (!isLocked) return null
  if (phase === 'probation' && until !== null) {
    return `probation ${Math.max(0, Math.round((until - atMs) / 1000))}s, ${what}`
  }
  if (phase === 'staging' && progress !== null && progress.totalBytes > 0) {
    return `staging ${Math.floor((100 * progress.doneBytes) / progress.totalBytes)} %, ${what}`
  }
  return `${phase} ${what}`
}
