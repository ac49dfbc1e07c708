import { resolve } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { isBucket } from '../../protocol/object-store.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FleetAccess } from '../link/access.ts'
import { type LocalPackage, readLocalPackage } from '../packages/local-package.ts'
import { pushToFolder } from '../packages/push-folder.ts'
import { pushOverLink } from '../packages/push-link.ts'
import { formatBytes } from '../ui/format.ts'
import { bringToBucket } from './bring-to-bucket.ts'
import { openNode } from './node-session.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** Where a package is to go. */
export type PushPlace =
  | { readonly kind: 'bucket'; readonly bucket: string }
  | { readonly kind: 'folder'; readonly folder: string }
  /** Straight to nodes over their links; none named means all of them. */
  | { readonly kind: 'nodes'; readonly names: readonly string[] }

/** What `edgedeck model push` was asked. */
export interface ModelPushRequest {
  readonly folder: string
  readonly to: PushPlace
  readonly clouds: readonly CloudAddress[]
  /** The nodes of these names; asked only where a package goes to nodes. */
  readonly nodesOf: (names: readonly string[]) => Promise<readonly NodeAddress[]>
  readonly access: FleetAccess
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** What became of one place. */
interface Row {
  readonly to: string
  readonly what: 'there' | 'pushed' | 'failed'
  /** That went there. */
  readonly bytes: number
  readonly code: string | null
  readonly note: string
}

const COLUMNS: readonly PrintedColumn<Row>[] = [
  { title: 'TO', text: ({ to }) => untrusted(to) },
  { title: 'STATE', text: ({ what }) => what },
  { title: 'SENT', align: 'right', text: ({ bytes }) => formatBytes(bytes) },
  { title: 'NOTE', text: ({ note }) => untrusted(note) },
]
/** Nodes that are pushed to at a time. */
const PARALLEL_NODES = 4

/**
 * Bring a package to where nodes fetch it, or straight to nodes. What is there already is left alone, what a push before
 * left is gone on with. Resolves with whether it is everywhere now.
 * @throws EdgeError `PACKAGE_INVALID`, `PACKAGE_UNTRUSTED` when nobody signed it, `USAGE`
 */
export async function runModelPush(request: ModelPushRequest, io: CommandIo): Promise<boolean> {
  const made = await readLocalPackage(request.folder)
  const rows = await rowsOf(made, request, io)
  const { kind, name, version } = made.statement
  const item = { kind, name, version, digest: made.digest }
  io.stdout.write(
    request.format === 'table'
      ? printTable(COLUMNS, rows)
      : printJson(
          rows.map((row) => ({ item, ...row })),
          request.format,
        ),
  )
  return rows.every(({ what }) => what !== 'failed')
}

function rowsOf(made: LocalPackage, request: ModelPushRequest, io: CommandIo): Promise<readonly Row[]> {
  const { to } = request
  switch (to.kind) {
    case 'bucket':
      return toBuckets(made, to.bucket, request, io)
    case 'folder':
      return toFolder(made, resolve(to.folder), io)
    case 'nodes':
      return toNodes(made, to.names, request, io)
  }
}

async function toFolder(made: LocalPackage, folder: string, io: CommandIo): Promise<readonly Row[]> {
  const bytes = await pushToFolder(folder, made, { signal: io.signal })
  return [{ to: folder, what: bytes > made.signed.length ? 'pushed' : 'there', bytes, code: null, note: '' }]
}

/** To every region, since each node may reach only one. */
async function toBuckets(
  made: LocalPackage,
  bucket: string,
  { clouds, timeoutMs }: ModelPushRequest,
  { signal }: CommandIo,
): Promise<readonly Row[]> {
  if (!isBucket(bucket)) {
    throw new EdgeError('USAGE', { message: `${bucket} names no bucket`, next: ['use letters, digits, "-" and "_"'] })
  }
  if (clouds.length === 0) {
    throw new EdgeError('USAGE', {
      message: 'no region of the cloud is known, so there is no bucket',
      next: ['say where: --cloud nats://host:4222, or push to nodes or a folder: --to'],
    })
  }
  const rows: Row[] = []
  for (const cloud of clouds) {
    const to = `${cloud.name}/${bucket}`
    try {
      const bytes = await bringToBucket(made, { cloud, bucket, timeoutMs, signal })
      rows.push({ to, what: bytes === 0 ? 'there' : 'pushed', bytes, code: null, note: '' })
    } catch (error) {
      signal.throwIfAborted()
      rows.push({ to, what: 'failed', bytes: 0, code: 'CLOUD_UNREACHABLE', note: messageOf(error) })
    }
  }
  return rows
}

async function toNodes(
  made: LocalPackage,
  names: readonly string[],
  request: ModelPushRequest,
  io: CommandIo,
): Promise<readonly Row[]> {
  const nodes = await request.nodesOf(names)
  const rows: Row[] = []
  const waiting = nodes.entries()
  const work = async (): Promise<void> => {
    for (const [position, node] of waiting) rows[position] = await toNode(made, node, request, io)
  }
  await Promise.all(Array.from({ length: PARALLEL_NODES }, work))
  return rows
}

async function toNode(
  made: LocalPackage,
  address: NodeAddress,
  { access, timeoutMs }: ModelPushRequest,
  { signal }: CommandIo,
): Promise<Row> {
  const to = address.key
  const opened = await openNode(address, { access, timeoutMs, signal })
  if (!opened.ok) return { to, what: 'failed', bytes: 0, code: 'NODE_UNREACHABLE', note: opened.reason }
  const { node } = opened
  try {
    const outcome = await pushOverLink(made, {
      command: (verb, args, options) => node.link.command(verb, args, options),
      // A node under a cap takes its time with each piece.
      timeoutMs: Math.max(timeoutMs, SLOW_PIECE_MS),
      signal,
    })
    if (outcome.ok)
      return { to, what: outcome.bytes === 0 ? 'there' : 'pushed', bytes: outcome.bytes, code: null, note: '' }
    const note = [outcome.message, ...outcome.next].join('; ')
    return { to, what: 'failed', bytes: outcome.bytes, code: outcome.code, note }
  } catch (error) {
    signal.throwIfAborted()
    const code = error instanceof EdgeError ? error.code : 'NODE_UNREACHABLE'
    return { to, what: 'failed', bytes: 0, code, note: messageOf(error) }
  } finally {
    await node.stop()
  }
}

const SLOW_PIECE_MS = 60_000
