import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { CLASSES_OF, CloudHistorySource } from '../cloud/cloud-history.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FleetAccess } from '../link/access.ts'
import type { HistoryGap, HistoryKind } from '../link/history-source.ts'
import { JoinedHistory } from '../link/joined-history.ts'
import { NodeHistorySource } from '../link/node-history.ts'
import { identityOf } from './node-identity.ts'
import { type OpenNode, openNode } from './node-session.ts'
import type { CommandIo, OutputFormat } from './output.ts'
import { ReplayPrinter } from './replay-printer.ts'
import type { ReplaySource } from './replay-source.ts'

/** What `edgedeck replay` was asked. */
export interface ReplayRequest {
  /** The operator's name of the node, or `SITE/NODE` or `NODE` as the cloud knows it. */
  readonly name: string
  /** Its address; null for a node that is not in the list. */
  readonly node: NodeAddress | null
  readonly clouds: readonly CloudAddress[]
  readonly access: FleetAccess
  /** Unix ms on our clock, both ends included. */
  readonly fromMs: number
  readonly toMs: number
  readonly kinds: readonly HistoryKind[]
  readonly source: ReplaySource
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/**
 * Print a node's past, oldest first, kind by kind. Resolves with whether every source that was needed gave all it has.
 * @throws EdgeError `NODE_UNREACHABLE` when there is nothing to read from
 */
export async function runReplay(request: ReplayRequest, io: CommandIo): Promise<boolean> {
  const { source, node: address, clouds, name, access, timeoutMs } = request
  const opened =
    source === 'cloud' || address === null ? null : await openNode(address, { access, timeoutMs, signal: io.signal })
  const node = opened?.ok ? opened.node : null
  const reason = opened === null || opened.ok ? null : opened.reason
  const useCloud = source !== 'node' && clouds.length > 0
  try {
    if (io.signal.aborted) return false
    if (node === null && !useCloud) throw nothingToRead(request, reason)
    if (reason !== null) warn(io, `${untrusted(name)}: ${reason}; reading the cloud instead`)
    const identity = node?.detail().identity
    const cloud = new CloudHistorySource({
      clouds,
      identify: () => (identity == null ? identityOf(name) : { node: identity.name, site: identity.site }),
      timeoutMs,
    })
    const history = new JoinedHistory({
      node: node === null ? null : new NodeHistorySource(() => node.link),
      cloud: useCloud ? cloud : null,
    })
    return (await print(history, node, request, io)) && reason === null
  } finally {
    await node?.stop()
  }
}

async function print(
  history: JoinedHistory,
  node: OpenNode | null,
  request: ReplayRequest,
  io: CommandIo,
): Promise<boolean> {
  const { name, format } = request
  const fromMs = Math.max(0, request.fromMs + (node?.clockOffsetMs ?? 0))
  const toMs = Math.max(0, request.toMs + (node?.clockOffsetMs ?? 0))
  const printer = new ReplayPrinter(name, format, io)
  const told = new Set<string>()
  let whole = true
  await printer.begin()
  for (const kind of request.kinds) {
    if (io.signal.aborted) break
    for (const gap of evictedBefore(kind, node, { fromMs, toMs })) await printer.gap(gap, 'node')
    const gaps: Promise<void>[] = []
    const all = await history.read(
      name,
      { kind, fromMs, toMs },
      {
        rows: (rows, from) => printer.rows(rows, from),
        gap: (gap, from) => void gaps.push(printer.gap(gap, from)),
        failed: ({ code, message, next }, from) => {
          const cure = next.length === 0 ? '' : ` → ${next.join('; ')}`
          const problem = `${from}: ${code}: ${message}${cure}`
          // A source that is away is away for every kind.
          if (code !== 'CANCELLED' && !told.has(problem)) warn(io, untrusted(problem))
          told.add(problem)
        },
      },
      io.signal,
    )
    await Promise.all(gaps)
    whole &&= all
  }
  await printer.end()
  return whole
}

/** What the node itself says that it has evicted of the range. */
function evictedBefore(
  kind: HistoryKind,
  node: OpenNode | null,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): HistoryGap[] {
  const byClass = node?.detail().status?.store.byClass ?? {}
  return CLASSES_OF[kind].flatMap((recordClass) => {
    const kept = byClass[recordClass]
    if (kept === undefined || kept.evicted === 0) return []
    const untilMs = Math.min(kept.oldestAt ?? toMs, toMs)
    return untilMs <= fromMs ? [] : [{ kind, missed: null, reason: `evicted: ${recordClass}`, fromMs, toMs: untilMs }]
  })
}

function nothingToRead({ name, node, source }: ReplayRequest, reason: string | null): EdgeError {
  const configure = 'name the cloud: --cloud nats://host:4222, or under clouds in the configuration'
  if (node === null && source !== 'cloud') {
    return new EdgeError('USAGE', {
      message: `no node is called ${untrusted(name)}`,
      next: [`point at it with --node ${untrusted(name)}=wss://host:5443/live`, `or ${configure}`],
    })
  }
  if (reason === null) return new EdgeError('USAGE', { message: 'no region of the cloud is known', next: [configure] })
  return new EdgeError('NODE_UNREACHABLE', {
    message: `${untrusted(name)}: ${reason}`,
    next: source === 'node' ? ['wait until it answers, or read the cloud with --source cloud'] : [configure],
  })
}

function warn(io: CommandIo, sentence: string): void {
  io.stderr.write(`edgedeck: ${sentence}\n`)
}
