import { type Command, InvalidArgumentError, Option } from 'commander'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'
import type { OutputFormat } from './commands/output.ts'
import { REPLAY_SOURCES, type ReplaySource } from './commands/replay-source.ts'
import { parseTime } from './fleet/time-text.ts'
import type { HistoryKind } from './link/history-source.ts'

/** What the commands that look at what was kept are asked; times are Unix ms. */
export type PastRequest = FleetFlags & Ranged & (ReplayWish | { readonly kind: 'compare' })

/** A node and a stretch of its past. */
interface Ranged {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
  readonly format: OutputFormat
  readonly timeoutMs: number
}

interface ReplayWish {
  readonly kind: 'replay'
  readonly kinds: readonly HistoryKind[]
  readonly source: ReplaySource
}

const NODE_ARGUMENT = 'a node of the list, or NODE or SITE/NODE as the cloud knows it'
const KINDS: readonly HistoryKind[] = ['results', 'alerts', 'logs', 'ledger', 'stats', 'metrics', 'status']
const DEFAULT_KINDS: readonly HistoryKind[] = ['results', 'alerts', 'logs', 'ledger']

/** Add the commands that read the past of nodes, from themselves and from the cloud. */
export function addPastCommands(program: Command, accept: (request: PastRequest) => void, nowMs: number): void {
  const time = (text: string): number => {
    const parsed = parseTime(text, nowMs)
    if (!parsed.ok) throw new InvalidArgumentError(`${parsed.message}.`)
    return parsed.atMs
  }
  const withRange = (command: Command): Command =>
    command
      .addOption(
        new Option('--from <time>', 'begin here: 10:32, -4m, 2026-11-25 10:32')
          .argParser(time)
          .default(time('-10m'), '-10m'),
      )
      .addOption(new Option('--to <time>', 'end here').argParser(time).default(nowMs, 'now'))

  withRange(program.command('replay'))
    .description("Print a node's past: from the node, and from the cloud where the node has it no more or is dead.")
    .argument('<NODE>', NODE_ARGUMENT)
    .option('--kind <kinds>', `what to print, of ${KINDS.join(', ')}`, kinds, DEFAULT_KINDS)
    .addOption(new Option('--source <where>', 'where to read').choices(REPLAY_SOURCES).default('auto'))
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((name: string, options: ReplayOptions) => {
      const { kind, source, output: format, timeout: timeoutMs } = options
      accept({
        kind: 'replay',
        ...fleetFlags(program),
        name,
        ...range(options),
        kinds: kind,
        source,
        format,
        timeoutMs,
      })
    })
}

interface RangeOptions {
  readonly from: number
  readonly to: number
}

interface ReplayOptions extends RangeOptions {
  readonly kind: readonly HistoryKind[]
  readonly source: ReplaySource
  readonly output: OutputFormat
  readonly timeout: number
}

function range({ from, to }: RangeOptions): { fromMs: number; toMs: number } {
  if (from > to) throw new InvalidArgumentError('--from is after --to.')
  return { fromMs: from, toMs: to }
}

function kinds(text: string): HistoryKind[] {
  return text.split(',').map((word) => {
    const known = KINDS.find((kind) => kind === word.trim())
    if (known === undefined) throw new InvalidArgumentError(`Expected some of ${KINDS.join(', ')}, with commas.`)
    return known
  })
}
