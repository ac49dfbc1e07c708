import type { Heartbeat } from '../../protocol/presence.ts'
import type { Severity } from '../../protocol/records.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { countAlerts } from './alert-book.ts'
import { changeView, heardChange } from './change-view.ts'
import { type NodeIdentity, type NodeStatus, safe } from './clean.ts'
import type { NodeModel, NodeMoment } from './node-model.ts'
import { type NodeState, nodeState } from './node-state.ts'
import { othersView } from './others.ts'
import type { ConditionView, LinkView, NodeView } from './view.ts'

/** A clock further off than this is told, ms. */
const CLOCK_OFFSET_TOLD_MS = 2000
/** How long a broken protocol stays a condition, ms. */
const MISBEHAVIOUR_TOLD_MS = 300_000

/** What of a row does not change while time passes. */
type Still = Omit<NodeView, 'state' | 'reason' | 'ageMs' | 'misbehaves'>

/** Makes rows of nodes; what follows from the figures alone is made once for each frame, not for each look. */
export class NodeViewer {
  readonly #still = new WeakMap<NodeMoment, Still>()

  /** The row of a node as of `atMs`. */
  view(model: NodeModel, moment: NodeMoment, at: { readonly atMs: number; readonly live: boolean }): NodeView {
    let still = this.#still.get(moment)
    if (still === undefined) {
      still = stillOf(model, moment)
      this.#still.set(moment, still)
    }
    const silence = model.silence(at.atMs, moment)
    const state = nodeState(silence, at.atMs)
    const misbehaviour = misbehaviourOf(model.link, at.atMs)
    return {
      ...still,
      state,
      reason: reasonOf(state, { link: model.link, live: at.live, heardMs: silence.lastDataMs, atMs: at.atMs }),
      ageMs: moment.dataMs === null ? null : Math.max(0, at.atMs - moment.dataMs),
      conditions: misbehaviour === null ? still.conditions : [...still.conditions, misbehaviour.condition],
      misbehaves: misbehaviour?.how ?? null,
    }
  }
}

function stillOf(model: NodeModel, moment: NodeMoment): Still {
  const { vitals, status } = moment
  const heartbeat = status === null ? model.heartbeat : null
  return {
    ...vitals,
    key: model.key,
    name: safe(model.key),
    saysName: model.identity?.name ?? null,
    site: model.site,
    memPct: percent(vitals.memUsedBytes, vitals.memTotalBytes),
    diskPct: percent(vitals.diskUsedBytes, vitals.diskTotalBytes),
    ...(heartbeat === null ? fromStatus(status) : fromHeartbeat(heartbeat)),
    route: model.link.route,
    ...othersView(status),
    ...(heartbeat === null ? changeView(status) : heardChange(heartbeat)),
    insecure: model.link.insecure,
    conditions: conditionsOf(model, status),
  }
}

function fromStatus(status: NodeStatus | null): Pick<NodeView, 'model' | 'uplink' | 'store' | 'alerts'> {
  return {
    model: modelOf(status),
    uplink: uplinkOf(status),
    store: status?.store.state ?? null,
    alerts: countAlerts(status?.alerts ?? []),
  }
}

function fromHeartbeat({
  model,
  down = 0,
  failing,
  alerts: [critical, warning] = [0, 0],
}: Heartbeat): ReturnType<typeof fromStatus> {
  return {
    model: model === undefined ? null : safe(model),
    uplink: down > 0 ? 'down' : 'up',
    store: failing === true ? 'failing' : 'ok',
    alerts: { info: 0, warning, critical },
  }
}

function reasonOf(
  state: NodeState,
  known: { link: LinkView; live: boolean; heardMs: number | null; atMs: number },
): UntrustedText | null {
  if (state === 'up') return null
  const { link, live, heardMs, atMs } = known
  const silence =
    heardMs === null ? 'never answered' : `no answer for ${Math.max(0, Math.round((atMs - heardMs) / 1000))} s`
  if (!live) return safe(silence)
  if (link.phase === 'open') return safe(heardMs === null ? 'connected, waiting for its first answer' : silence)
  if (link.lastReason !== null) return safe(state === 'connecting' ? link.lastReason : `${silence}: ${link.lastReason}`)
  return safe(state === 'connecting' ? 'connecting' : silence)
}

function conditionsOf(model: NodeModel, status: NodeStatus | null): ConditionView[] {
  const found: ConditionView[] = (status?.conditions ?? []).map((condition) => ({
    code: condition.code,
    severity: condition.severity,
    msg: condition.msg,
    sinceMs: condition.since - model.offsetMs,
  }))
  const tell = (code: string, severity: Severity, msg: string): void => {
    found.push({ code: safe(code), severity, msg: safe(msg), sinceMs: null })
  }
  const says = nameDiffers(model.identity, model.key)
  if (says !== null) tell('name_differs', 'info', `the node calls itself "${says}"`)
  for (const [fault, value] of Object.entries(status?.faults ?? {})) {
    tell('fault_in_force', 'warning', `declared fault ${fault} = ${value}`)
  }
  if (model.heartbeat !== null && status === null) {
    const why = model.link.lastReason === null ? '' : `: ${model.link.lastReason}`
    tell('no_session', 'warning', `it is heard on the bus, but there is no session with it${why}`)
  }
  const { clockOffsetMs } = model.link
  if (clockOffsetMs !== null && Math.abs(clockOffsetMs) > CLOCK_OFFSET_TOLD_MS) {
    const direction = clockOffsetMs > 0 ? 'ahead of' : 'behind'
    tell('clock_offset', 'warning', `its clock is ${(Math.abs(clockOffsetMs) / 1000).toFixed(1)} s ${direction} ours`)
  }
  return found
}

function misbehaviourOf(
  { lastMisbehaviour, floods }: LinkView,
  atMs: number,
): { readonly how: 'floods' | 'breaks protocol'; readonly condition: ConditionView } | null {
  if (lastMisbehaviour === null || lastMisbehaviour.atMs > atMs) return null
  if (atMs - lastMisbehaviour.atMs >= MISBEHAVIOUR_TOLD_MS) return null
  const { msg, atMs: sinceMs, isFlood } = lastMisbehaviour
  const often = floods > 1 ? ` (cut ${floods} times)` : ''
  return {
    how: isFlood ? 'floods' : 'breaks protocol',
    condition: {
      code: safe(isFlood ? 'node_floods' : 'protocol_broken'),
      severity: 'warning',
      msg: safe(isFlood ? `${msg}${often}` : msg),
      sinceMs,
    },
  }
}

function nameDiffers(identity: NodeIdentity | null, key: string): UntrustedText | null {
  return identity === null || identity.name === safe(key) ? null : identity.name
}

function modelOf(status: NodeStatus | null): UntrustedText | null {
  const model = status?.inference.model
  if (!model) return null
  return safe(`${model.name}@${model.version}${model.variant === '' ? '' : ` ${model.variant}`}`)
}

function uplinkOf(status: NodeStatus | null): NodeView['uplink'] {
  const states = status?.uplink.targets.map((target) => target.state) ?? []
  if (states.length === 0) return null
  if (states.includes('down')) return 'down'
  return states.includes('connecting') ? 'connecting' : 'up'
}

function percent(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : (100 * part) / whole
}
