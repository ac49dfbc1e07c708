import { randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type RecordClass, UPSTREAM_CLASSES } from '../../protocol/subjects.ts'
import type { OutputFormat } from '../commands/output.ts'
import { REPLAY_SOURCES, type ReplaySource } from '../commands/replay-source.ts'
import { parseTime } from '../fleet/time-text.ts'
import type { HistoryKind } from '../link/history-source.ts'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption, whyOption } from './command-options.ts'

/** What the commands that look at what was kept are asked; times are Unix ms. */
export type PastRequest = FleetFlags &
  ((Ranged & (ReplayWish | ResendWish | { readonly kind: 'compare' })) | PictureWish)

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

interface ResendWish {
  readonly kind: 'resend'
  /** Null for all that goes up by itself. */
  readonly classes: readonly RecordClass[] | null
  readonly target: string | null
  readonly requestId: string
  /** Why it is wanted, for the audit; null to say nothing. */
  readonly why: string | null
  /** The id was told: the node may know the request already. */
  readonly again: boolean
  readonly wait: boolean
  /** Compare node and cloud when it is done. */
  readonly check: boolean
}

interface PictureWish {
  readonly kind: 'picture'
  readonly name: string
  readonly seq: number
  readonly save: string | null
  readonly format: OutputFormat
  readonly timeoutMs: number
}

const NODE_ARGUMENT = 'a node of the list, or NODE or SITE/NODE as the cloud knows it'
const KINDS: readonly HistoryKind[] = ['results', 'alerts', 'logs', 'ledger', 'stats', 'metrics', 'status', 'audit']
/** All but samples, which are for the screen, and pictures. */
const RESENDABLE: readonly RecordClass[] = [...UPSTREAM_CLASSES, 'normal', 'log']
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
      const { kind, source } = options
      accept({ kind: 'replay', ...fleetFlags(program), ...ranged(name, options), kinds: kind, source })
    })

  withRange(program.command('compare'))
    .description('Compare what a node keeps with what the cloud holds: is everything there, once, and the same.')
    .argument('<NODE>', NODE_ARGUMENT)
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((name: string, options: RangeOptions) => {
      accept({ kind: 'compare', ...fleetFlags(program), ...ranged(name, options) })
    })

  withRange(program.command('resend'))
    .description('Let a node send a range of its past upstream again, beside the live records; readers merge them.')
    .argument('<NODE>', 'a node of the list')
    .option('--classes <classes>', `only these, of ${RESENDABLE.join(', ')} (the last two only so)`, classes)
    .option('--target <name>', "the node's uplink target instead of the first that it reaches")
    .option(
      '--request-id <id>',
      'its id: a request that the node knows goes on, else it is made under this id',
      requestId,
    )
    .addOption(whyOption())
    .option('--wait', 'follow it to its end', false)
    .option('--check', 'follow it, then compare node and cloud', false)
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((name: string, options: ResendOptions) => {
      const { classes: wanted = null, target = null, why = null, check } = options
      const told = options.requestId
      const id = { requestId: told ?? randomBytes(8).toString('hex'), again: told !== undefined }
      const wish = { classes: wanted, target, why, ...id, wait: options.wait || check, check }
      accept({ kind: 'resend', ...fleetFlags(program), ...ranged(name, options), ...wish })
    })

  program
    .command('picture')
    .description('Draw or save the picture that a node keeps of a flagged result.')
    .argument('<NODE>', 'a node of the list')
    .argument('<SEQ>', 'sequence of the result, as replay and /infer tell it', sequence)
    .option('--save <file>', 'write it there as the device sent it; - for standard output')
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((name: string, seq: number, options: PictureOptions) => {
      const { save = null, output: format, timeout: timeoutMs } = options
      accept({ kind: 'picture', ...fleetFlags(program), name, seq, save, format, timeoutMs })
    })
}

interface RangeOptions {
  readonly from: number
  readonly to: number
  readonly output: OutputFormat
  readonly timeout: number
}

interface ReplayOptions extends RangeOptions {
  readonly kind: readonly HistoryKind[]
  readonly source: ReplaySource
}

interface ResendOptions extends RangeOptions {
  readonly classes?: readonly RecordClass[]
  readonly target?: string
  readonly requestId?: string
  readonly why?: string
  readonly wait: boolean
  readonly check: boolean
}

interface PictureOptions {
  readonly save?: string
  readonly output: OutputFormat
  readonly timeout: number
}

function ranged(name: string, { from, to, output: format, timeout: timeoutMs }: RangeOptions): Ranged {
  if (from > to) throw new InvalidArgumentError('--from is after --to.')
  return { name, fromMs: from, toMs: to, format, timeoutMs }
}

function kinds(text: string): HistoryKind[] {
  return text.split(',').map((word) => {
    const known = KINDS.find((kind) => kind === word.trim())
    if (known === undefined) throw new InvalidArgumentError(`Expected some of ${KINDS.join(', ')}, with commas.`)
    return known
  })
}

function classes(text: string): RecordClass[] {
  return text.split(',').map((word) => {
    const known = RESENDABLE.find((recordClass) => recordClass === word.trim())
    if (known === undefined) throw new InvalidArgumentError(`Expected some of ${RESENDABLE.join(', ')}, with commas.`)
    return known
  })
}

function requestId(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(text)) throw new InvalidArgumentError('Expected letters, digits, "-" and "_".')
  return text
}

function sequence(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Expected the sequence of a result, such as 41.')
  return Number(text)
}
