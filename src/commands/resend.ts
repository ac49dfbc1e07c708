import { z } from 'zod'
import { EdgeError } from '../../protocol/errors.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { type Clean, clean } from '../fleet/clean.ts'
import type { FleetAccess } from '../link/access.ts'
import type { CommandOutcome, JsonValue } from '../link/link.ts'
import { UNKNOWN } from '../ui/format.ts'
import { openNode } from './node-session.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'
import { failureOf } from './request-failure.ts'

/** What `edgedeck resend` was asked; times are Unix ms on our clock. */
export interface ResendRequest {
  readonly name: string
  readonly node: NodeAddress
  readonly access: FleetAccess
  readonly fromMs: number
  readonly toMs: number
  /** Null for all that goes up by itself. */
  readonly classes: readonly RecordClass[] | null
  /** The node's name of a target; null for the first that it reaches. */
  readonly target: string | null
  readonly requestId: string
  /** The node may know the request already: then it is followed, whatever range is told, and sent once. */
  readonly again: boolean
  /** Why it is wanted, for the audit; null to say nothing. */
  readonly why: string | null
  /** Follow it to its end. */
  readonly wait: boolean
  readonly format: OutputFormat
  readonly timeoutMs: number
  /** Between two looks at its progress, ms. */
  readonly pollMs?: number
}

const progressSchema = z.object({
  requestId: z.string().max(64),
  target: z.string().max(64).optional(),
  state: z.enum(['waiting', 'running', 'done']),
  records: z.int().nonnegative(),
  blocks: z.int().nonnegative(),
  leftOut: z.int().nonnegative().optional(),
  error: z.string().max(16_384).nullable().optional(),
})
/** How far a request is, as the node tells it; safe to show. */
export type ResendProgress = Clean<z.infer<typeof progressSchema>>

const POLL_MS = 500
/** A node that is out of reach for so long while its progress is followed is given up; the request goes on there. */
const GIVE_UP_MS = 60_000

const COLUMNS: readonly PrintedColumn<ResendProgress>[] = [
  { title: 'REQUEST', text: (row) => row.requestId },
  { title: 'TARGET', text: (row) => row.target ?? UNKNOWN },
  { title: 'STATE', text: (row) => row.state },
  { title: 'RECORDS', align: 'right', text: (row) => String(row.records) },
  { title: 'BLOCKS', align: 'right', text: (row) => String(row.blocks) },
  { title: 'LEFT OUT', align: 'right', text: (row) => String(row.leftOut ?? 0) },
  { title: 'NOTE', text: (row) => row.error ?? '' },
]

/**
 * Ask a node to send a range of its past upstream again, beside the live blocks, and follow it when that is wished.
 * Resolves with whether it is done as far as it was followed.
 * @throws EdgeError `NODE_UNREACHABLE`, or what the node refuses it with
 */
export async function runResend(request: ResendRequest, io: CommandIo): Promise<boolean> {
  const {
    name,
    node: address,
    access,
    requestId,
    classes,
    target,
    timeoutMs,
    wait,
    format,
    why,
    pollMs = POLL_MS,
  } = request
  const opened = await openNode(address, { access, timeoutMs, signal: io.signal })
  if (!opened.ok) throw failureOf(name, { ok: false, code: 'NODE_UNREACHABLE', message: opened.reason, next: [] })
  const { node } = opened
  try {
    const args: Record<string, JsonValue> = {
      requestId,
      fromMs: Math.max(0, request.fromMs + node.clockOffsetMs),
      toMs: Math.max(0, request.toMs + node.clockOffsetMs),
      ...(classes === null ? {} : { classes: [...classes] }),
      ...(target === null ? {} : { target }),
    }
    const known = request.again ? await node.link.command('resend.status', { requestId }, { timeoutMs }) : null
    const asked = known?.ok
      ? known
      : await node.link.command('resend', args, { timeoutMs, ...(why === null ? {} : { why }) })
    let progress = progressOf(name, asked)
    let told = tell(progress, null, format, io)
    for (let silentMs = 0; wait && progress.state !== 'done' && !io.signal.aborted; ) {
      await pause(pollMs, io.signal)
      if (io.signal.aborted) break
      const outcome = await node.link.command('resend.status', { requestId }, { timeoutMs })
      if (!outcome.ok && outcome.code === 'NODE_UNREACHABLE' && silentMs < GIVE_UP_MS) {
        silentMs += pollMs
        continue
      }
      silentMs = 0
      progress = progressOf(name, outcome)
      told = tell(progress, told, format, io)
    }
    if (format !== 'ndjson') {
      io.stdout.write(format === 'table' ? printTable(COLUMNS, [progress]) : printJson([progress], 'json'))
    }
    if (wait && progress.state !== 'done') {
      io.stderr.write(`edgedeck: it goes on on the node; look again with --request-id ${requestId} --wait\n`)
    }
    return !wait || progress.state === 'done'
  } finally {
    await node.stop()
  }
}

function progressOf(name: string, outcome: CommandOutcome): ResendProgress {
  if (!outcome.ok) throw failureOf(name, outcome)
  const parsed = progressSchema.safeParse(outcome.result)
  if (parsed.success) return clean(parsed.data)
  throw new EdgeError('FRAME_INVALID', {
    message: `${untrusted(name)} answers resend in a way that this console does not know`,
    next: ['bring console and daemon to one release'],
  })
}

/** Print a change of progress as a line of NDJSON; returns what was printed last. */
function tell(progress: ResendProgress, before: string | null, format: OutputFormat, io: CommandIo): string {
  const text = printJson([progress], 'ndjson')
  if (format === 'ndjson' && text !== before) io.stdout.write(text)
  return text
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
