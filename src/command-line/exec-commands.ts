import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseSizeBytes } from '../../settings/units.ts'
import { EXEC_FORMATS, type ExecFormat, type ExecWish } from '../commands/exec-wish.ts'
import { EVERY_NODE, type NodeSelection, parseSelection } from '../fleet/node-selection.ts'
import { quoteCommand } from '../shell/fan-out-quote.ts'
import { duration, type FleetFlags, fleetFlags, wholeNumber, whyOption } from './command-options.ts'

/** What `edgedeck exec` is asked, and of which fleet. */
export type ExecRequest = FleetFlags & ExecWish & { readonly kind: 'exec' }

const SEPARATOR = '--'
const DEFAULT_PARALLEL = 10
const MAX_PARALLEL = 200
const MINUTE_MS = 60_000

const ABOUT = `
Which nodes: names add (press-1 press-2, press-1,press-2, press-*), terms narrow (site=plant-a, site:plant, state:up, "cpu>80"),
! turns one round (!press-3). What a node must say itself is asked first; one that does not answer is not selected, and told.

Exit codes: 0 it ran everywhere with exit code 0, 1 a node was not reached, lost, too late or left out, 4 all ended and some
with another exit code than 0, 2 usage, 130 interrupted (once asks the programs to stop, twice breaks off).

For a connection nobody is asked anything: a host that is not in known_hosts, a key with a passphrase that no agent holds, are refused with what to do.
Output: "node | line", errors "node ! line"; -o json and ndjson give one object a node (ndjson as each ends).

  edgedeck exec site=plant-a -- systemctl is-active edge-daemon
  edgedeck exec --all -o grouped -- uname -r
  edgedeck exec press-* --shell 'df -h / | tail -1'`

/**
 * Add the command that runs the same on many nodes. `argv` is the whole command line: what stands behind its `--` is taken
 * as it is.
 */
export function addExecCommand(
  program: Command,
  accept: (request: ExecRequest) => void,
  argv: readonly string[],
): void {
  program
    .command('exec')
    .description('Run the same command on many nodes over SSH, and tell what came of it.')
    .argument('[SELECTOR...]', 'which nodes, then -- and the command with its arguments')
    .option('--all', 'every node there is', false)
    .option('--shell <line>', "instead of the command behind --: a line for each node's shell, as it is")
    .option('--stdin', 'give standard input to each of them', false)
    .addOption(
      new Option('--parallel <count>', 'so many nodes at a time').argParser(parallel).default(DEFAULT_PARALLEL),
    )
    .addOption(
      new Option('--timeout <duration>', 'for the command on each node').argParser(duration).default(MINUTE_MS, '60s'),
    )
    .option('--no-timeout', 'let the command run as long as it wants')
    .addOption(
      new Option('--connect-timeout <duration>', 'for the connection').argParser(duration).default(15_000, '15s'),
    )
    .addOption(new Option('--deadline <duration>', 'for all nodes together').argParser(duration))
    .addOption(new Option('--max-failures <count>', 'begin no more once so many failed').argParser(atLeastOne))
    .addOption(new Option('-o, --output <form>', 'how to print').choices(EXEC_FORMATS).default('prefix'))
    .option('--diff', 'with -o grouped: show groups as what they differ in from the largest one', false)
    .addOption(
      new Option('--max-output <size>', 'keep so much of each node for -o grouped and json')
        .argParser(size)
        .default(1_000_000, '1MB'),
    )
    .option('--dry-run', 'only list what would run where', false)
    .addOption(whyOption())
    .option('--yes', 'in a production context: do not ask; takes --why', false)
    .addHelpText('after', ABOUT)
    .action((operands: string[], options: ExecOptions) => accept(request(program, argv, operands, options)))
}

interface ExecOptions {
  readonly all: boolean
  readonly shell?: string
  readonly stdin: boolean
  readonly parallel: number
  readonly timeout: number | false
  readonly connectTimeout: number
  readonly deadline?: number
  readonly maxFailures?: number
  readonly output: ExecFormat
  readonly diff: boolean
  readonly maxOutput: number
  readonly dryRun: boolean
  readonly why?: string
  readonly yes: boolean
}

function request(
  program: Command,
  argv: readonly string[],
  operands: readonly string[],
  options: ExecOptions,
): ExecRequest {
  const { deadline: deadlineMs = null, maxFailures = null, why = null } = options
  const at = argv.indexOf(SEPARATOR)
  const words = at < 0 ? [] : argv.slice(at + 1)
  const selectors = operands.slice(0, operands.length - words.length)
  if (options.yes && (why ?? '').trim() === '')
    throw new InvalidArgumentError('--yes takes --why, which stands in the audit')
  if (options.diff && options.output !== 'grouped') throw new InvalidArgumentError('--diff goes with -o grouped')
  return {
    kind: 'exec',
    ...fleetFlags(program),
    selection: selection(selectors, options.all),
    command: command(words, options.shell),
    stdin: options.stdin,
    parallel: options.parallel,
    commandTimeoutMs: options.timeout === false ? null : options.timeout,
    connectTimeoutMs: options.connectTimeout,
    deadlineMs,
    maxFailures,
    format: options.output,
    diff: options.diff,
    maxOutputBytes: options.maxOutput,
    dryRun: options.dryRun,
    why,
    yes: options.yes,
  }
}

function selection(selectors: readonly string[], all: boolean): NodeSelection {
  if (all && selectors.length > 0) throw new InvalidArgumentError('--all and a selection: leave one of them out')
  if (all) return EVERY_NODE
  if (selectors.length === 0) throw new InvalidArgumentError('say on which nodes: a name, site=SITE, or --all')
  const parsed = parseSelection(selectors)
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message)
  return parsed.selection
}

function command(words: readonly string[], line: string | undefined): string {
  if (line !== undefined && words.length > 0) {
    throw new InvalidArgumentError('--shell and a command behind --: leave one of them out')
  }
  if (line !== undefined && line.trim() !== '') return line
  if (words.length > 0) return quoteCommand(words)
  throw new InvalidArgumentError('write the command behind --: edgedeck exec SELECTOR -- COMMAND ARGUMENT …')
}

function parallel(text: string): number {
  const count = atLeastOne(text)
  if (count > MAX_PARALLEL) throw new InvalidArgumentError(`At most ${MAX_PARALLEL} at a time.`)
  return count
}

function atLeastOne(text: string): number {
  const count = wholeNumber(text)
  if (count < 1) throw new InvalidArgumentError('Expected 1 or more.')
  return count
}

function size(text: string): number {
  const bytes = parseSizeBytes(text)
  if (bytes === null || bytes <= 0) throw new InvalidArgumentError('Expected a size such as 64KB or 1MB.')
  return bytes
}
