import type { ErrorCode } from '../../protocol/errors.ts'
import type { KeptText } from './fan-out-kept.ts'

/** How a command went on one node. Texts are safe to show. */
export type NodeEnd =
  /** It ran to its end; `signal` is its name where one ended it. */
  | { readonly kind: 'exited'; readonly code: number; readonly signal: string | null }
  /** No connection, or the command was not taken: nothing ran. */
  | { readonly kind: 'unreachable'; readonly code: ErrorCode; readonly msg: string; readonly next: readonly string[] }
  /** Its time was over, and it was asked to stop; where its end was not `seen` it may run on. */
  | { readonly kind: 'timeout'; readonly limit: 'command' | 'deadline'; readonly seen: boolean }
  /** The connection broke while it ran: what came of it is not known. */
  | { readonly kind: 'dropped'; readonly reason: string }
  /** The operator stopped it; where its end was not `seen` it may run on. */
  | { readonly kind: 'interrupted'; readonly seen: boolean }
  /** It was never begun. */
  | { readonly kind: 'skipped'; readonly why: SkipReason }

/** Why nodes were left out: too many failed, the time for all was over, the operator stopped it. */
export type SkipReason = 'failures' | 'deadline' | 'interrupted'

/** What came of a command on one node. */
export interface NodeOutcome {
  /** The operator's name of the node. */
  readonly key: string
  /** Where it ran, such as `mia@10.0.0.4:22`; null where nothing was reached. */
  readonly label: string | null
  readonly end: NodeEnd
  readonly stdout: KeptText
  readonly stderr: KeptText
  /** From the first attempt to connect, ms; 0 for what never began. */
  readonly durationMs: number
}

/** Whether the command ran there and was content. */
export function isOk({ end }: Pick<NodeOutcome, 'end'>): boolean {
  return end.kind === 'exited' && end.code === 0 && end.signal === null
}

/** How many nodes ended how. */
export interface FanOutTally {
  readonly total: number
  readonly ok: number
  /** Ran to an end other than exit code 0. */
  readonly failed: number
  readonly unreachable: number
  readonly timeout: number
  readonly dropped: number
  readonly interrupted: number
  readonly skipped: number
}

/** Count outcomes. */
export function tallyOf(outcomes: readonly Pick<NodeOutcome, 'end'>[]): FanOutTally {
  const of = (kind: NodeEnd['kind']): number => outcomes.filter(({ end }) => end.kind === kind).length
  const ok = outcomes.filter(isOk).length
  return {
    total: outcomes.length,
    ok,
    failed: of('exited') - ok,
    unreachable: of('unreachable'),
    timeout: of('timeout'),
    dropped: of('dropped'),
    interrupted: of('interrupted'),
    skipped: of('skipped'),
  }
}

/** `exit 3`, `killed by TERM`: how a program ended, for people. */
export function exitText({ code, signal }: Extract<NodeEnd, { kind: 'exited' }>): string {
  return signal === null ? `exit ${code}` : `ended by ${signal}`
}

/** How a node ended, in a few words. */
export function endText(end: NodeEnd): string {
  switch (end.kind) {
    case 'exited':
      return exitText(end)
    case 'unreachable':
      return `unreachable: ${end.msg}`
    case 'timeout':
      return `${end.limit === 'command' ? 'timed out' : 'the time for all nodes was over'}${maybeOn(end)}`
    case 'dropped':
      return `connection lost: ${end.reason}`
    case 'interrupted':
      return `stopped${maybeOn(end)}`
    case 'skipped':
      return SKIPPED[end.why]
  }
}

function maybeOn({ seen }: { readonly seen: boolean }): string {
  return seen ? '' : '; it may still run there'
}

const SKIPPED: Readonly<Record<SkipReason, string>> = {
  failures: 'not begun: too many others failed',
  deadline: 'not begun: the time for all nodes was over',
  interrupted: 'not begun: stopped before',
}

/** `48 of 50 ok, 1 failed (exit 3), 1 unreachable, 12.3 s`. */
export function summaryText(outcomes: readonly Pick<NodeOutcome, 'end'>[], tookMs: number): string {
  const tally = tallyOf(outcomes)
  const parts = [`${tally.ok} of ${tally.total} ok`]
  if (tally.failed > 0) parts.push(`${tally.failed} failed (${exitsOf(outcomes)})`)
  if (tally.unreachable > 0) parts.push(`${tally.unreachable} unreachable`)
  if (tally.timeout > 0) parts.push(`${tally.timeout} timed out`)
  if (tally.dropped > 0) parts.push(`${tally.dropped} lost`)
  if (tally.interrupted > 0) parts.push(`${tally.interrupted} stopped`)
  if (tally.skipped > 0) parts.push(`${tally.skipped} not begun`)
  return `${parts.join(', ')}, ${(tookMs / 1000).toFixed(1)} s`
}

const MAX_EXITS_TOLD = 4

function exitsOf(outcomes: readonly Pick<NodeOutcome, 'end'>[]): string {
  const ends = outcomes.flatMap(({ end }) => (end.kind === 'exited' && !isOk({ end }) ? [exitText(end)] : []))
  const kinds = [...new Set(ends)]
  const told = kinds.slice(0, MAX_EXITS_TOLD).join(', ')
  return kinds.length > MAX_EXITS_TOLD ? `${told}, …` : told
}
