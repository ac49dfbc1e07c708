import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { NodeStatus } from '../fleet/clean.ts'
import type { NodeSelection } from '../fleet/node-selection.ts'
import type { NodeDetail, NodeView } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import { formatAge, UNKNOWN } from '../ui/format.ts'
import { selectNodes } from './exec-selection.ts'
import { FleetSession } from './fleet-session.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck model list` was asked about nodes. */
export interface ModelNodesRequest {
  readonly nodes: readonly NodeAddress[]
  readonly selection: NodeSelection
  readonly access: FleetAccess
  readonly format: OutputFormat
  /** How long to wait for answers, ms. */
  readonly timeoutMs: number
}

type Changes = NonNullable<NodeStatus['changes']>

/**
 * What a node does with a package: `serves` it; `confirmed`, served or to be gone back to; else the phase of a change that it
 * carries. `none` is a node that told of nothing.
 */
export type HeldState = 'serves' | 'confirmed' | 'none' | NonNullable<Changes['change']>['phase']

/** A package of a node as the list has it; null where it is not known. Texts are safe to show. */
export interface HeldPackage {
  readonly node: string
  readonly site: string | null
  readonly kind: 'model' | 'config' | null
  readonly name: string | null
  readonly version: string | null
  readonly digest: string | null
  /** Of the model that serves. */
  readonly variant: string | null
  /** Whether this is what answers now; of settings, what the node runs by. */
  readonly isServed: boolean
  readonly state: HeldState
  readonly rollout: string | null
  /** Settings of the node that are not as the confirmed ones have them, a line each. */
  readonly drift: readonly string[]
  readonly note: string
}

const COLUMNS: readonly PrintedColumn<HeldPackage>[] = [
  { title: 'NODE', text: ({ node }) => node },
  { title: 'SITE', text: ({ site }) => site ?? UNKNOWN },
  { title: 'KIND', text: ({ kind }) => kind ?? UNKNOWN },
  { title: 'NAME', text: ({ name }) => name ?? UNKNOWN },
  { title: 'VERSION', text: ({ version }) => version ?? UNKNOWN },
  { title: 'VARIANT', text: ({ variant }) => variant ?? UNKNOWN },
  { title: 'NOW', text: ({ isServed }) => (isServed ? 'yes' : 'no') },
  { title: 'STATE', text: ({ state }) => state },
  { title: 'DIGEST', text: ({ digest }) => digest?.slice(0, 12) ?? UNKNOWN },
  {
    title: 'NOTE',
    text: ({ note, drift }) => [note, ...drift.map((what) => `drift: ${what}`)].filter(Boolean).join('; '),
  },
]

/** Print what the selected nodes serve and hold. Resolves with whether each of them answered. @throws EdgeError `USAGE` */
export async function runModelNodes(request: ModelNodesRequest, io: CommandIo): Promise<boolean> {
  const { access, timeoutMs, format } = request
  const { signal } = io
  const chosen = await selectNodes(request.selection, { nodes: request.nodes, access, timeoutMs, signal })
  const nodes = request.nodes.filter(({ key }) => chosen.nodes.some((one) => one.key === key))
  const session = new FleetSession({ nodes, access, interest: { status: true, alertBacklog: null, logs: null } })
  session.start()
  try {
    const detailOf = (key: string): NodeDetail | null => session.fleet.nodeDetail(key, 'now', Date.now())
    const isSettled = ({ key, state }: NodeView): boolean => {
      if (state === 'up') return detailOf(key)?.status != null
      // Where there is a bus, one way that fails is not the end.
      return access.bus === undefined && detailOf(key)?.link.lastReason != null
    }
    const view = await session.until((now) => now.nodes.every(isSettled), timeoutMs, signal)
    const rows = view.nodes.flatMap((node) => heldPackages(node, detailOf(node.key)?.status ?? null))
    io.stdout.write(format === 'table' ? printTable(COLUMNS, rows) : printJson(rows, format))
    for (const key of chosen.silent) io.stderr.write(`edgedeck: ${untrusted(key)} did not answer\n`)
    return chosen.silent.length === 0 && view.nodes.every(({ state }) => state === 'up')
  } finally {
    await session.stop()
  }
}

/** What a node told of its packages: what serves first. */
export function heldPackages(
  node: Pick<NodeView, 'key' | 'site' | 'state' | 'reason'>,
  status: NodeStatus | null,
): HeldPackage[] {
  const about = {
    node: untrusted(node.key),
    site: node.site,
    drift: [],
    note: '',
    rollout: null,
    variant: null,
  } as const
  const nothing = { kind: null, name: null, version: null, digest: null, isServed: false, state: 'none' } as const
  const away = node.state === 'up' ? '' : [node.state, ...(node.reason === null ? [] : [node.reason])].join(': ')
  if (status === null) return [{ ...about, ...nothing, note: away === '' ? 'it has not told yet' : away }]
  const { changes } = status
  const { model } = status.inference
  const { change = null, confirmed = [], drift = [] } = changes ?? {}
  const serves = change !== null && (change.phase === 'probation' || change.phase === 'reverting')
  const held: HeldPackage[] = []
  if (change !== null && (change.isLocked || change.phase === 'probation')) {
    const { item, phase, rollout, until, fault } = change
    const isServed = serves && isRunning(item, model)
    const back =
      phase === 'probation' && until !== null ? `back by itself in ${formatAge(Math.max(0, until - status.at))}` : ''
    held.push({
      ...about,
      ...named(item),
      isServed,
      state: phase,
      rollout,
      variant: isServed && item.kind === 'model' ? (model?.variant ?? null) : null,
      note: [back, ...(fault === null ? [] : [`${fault.kind}: ${fault.msg}`])].filter(Boolean).join('; '),
    })
  }
  for (const item of confirmed) {
    const isTold = ({ kind, digest, state }: HeldPackage): boolean =>
      state === 'confirmed' && kind === item.kind && digest === named(item).digest
    if (held.some(isTold)) continue
    const isReplaced = held.some(({ kind, isServed }) => kind === item.kind && isServed)
    const isServed = !isReplaced && (item.kind === 'config' || isRunning(item, model))
    held.push({
      ...about,
      ...named(item),
      isServed,
      state: 'confirmed',
      variant: isServed && item.kind === 'model' ? (model?.variant ?? null) : null,
      drift: item.kind === 'config' ? drift : [],
    })
  }
  if (model !== null && !held.some(({ kind, isServed }) => kind === 'model' && isServed)) {
    const { name, version, variant } = model
    const note = changes === undefined ? 'it tells nothing of packages' : 'of its own folder'
    held.push({ ...about, kind: 'model', name, version, digest: null, variant, isServed: true, state: 'serves', note })
  }
  if (held.length === 0) held.push({ ...about, ...nothing })
  const noted = away === '' ? held : held.map((one) => ({ ...one, note: [away, one.note].filter(Boolean).join('; ') }))
  return noted.sort((one, other) => Number(other.isServed) - Number(one.isServed))
}

/** Whether the model that runs is that of a package, as far as names tell. */
function isRunning(
  { kind, name, version }: { readonly kind: string; readonly name: string; readonly version: string },
  model: NodeStatus['inference']['model'],
): boolean {
  if (kind !== 'model') return true
  return model !== null && model.name === name && model.version === version
}

/** What a node was set up with is no package: nobody else has it by that digest. */
function named({ kind, name, version, digest, origin }: Changes['confirmed'][number]) {
  return { kind, name, version, digest: origin === undefined ? digest : null }
}
