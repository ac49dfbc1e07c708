import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDurationMs } from '../../settings/units.ts'
import { OUTPUT_FORMATS } from '../commands/output.ts'
import { EVERY_NODE, type NodeSelection, parseSelection } from '../fleet/node-selection.ts'

/** What every command may be told: where the fleet is. */
export interface FleetFlags {
  /** `--node NAME=wss://…`, as typed. */
  readonly node: readonly string[]
  /** `--cloud [NAME=]nats://…`, as typed. */
  readonly cloud: readonly string[]
  readonly config: string | null
  /** `--context`, one of the fleets of the configuration; null for its current one. */
  readonly context: string | null
}

/** The flags that stand before or behind any command. */
export function fleetFlags(program: Command): FleetFlags {
  const {
    node,
    cloud,
    config = null,
    context = null,
  } = program.opts<{
    node: string[]
    cloud: string[]
    config?: string
    context?: string
  }>()
  return { node, cloud, config, context }
}

/**
 * The one `--node` of a command that names a node instead of pointing at one. The flag is the program's, which takes it
 * wherever it stands, so a command cannot have one of its own.
 */
export function nodeName(program: Command): string {
  const [name = '', ...others] = fleetFlags(program).node
  if (name !== '' && name.length <= 253 && others.length === 0) return name
  throw new InvalidArgumentError('this command needs one --node NAME, of 1 to 253 characters')
}

/** Shows {@link nodeName} in the help of a command. */
export function nodeNameOption(about: string): Option {
  return new Option('--node <name>', about)
}

/** `-o`, the form to print in. */
export function outputOption(): Option {
  return new Option('-o, --output <form>', 'how to print').choices(OUTPUT_FORMATS).default('table')
}

/** `--timeout`, ms. */
export function timeoutOption(): Option {
  return new Option('--timeout <duration>', 'how long to wait for answers').argParser(duration).default(5000, '5s')
}

const MAX_WHY_CHARACTERS = 200

/** `--why`, which is signed with a command and stands in the audit. */
export function whyOption(): Option {
  return new Option('--why <text>', 'why you want it, for the audit').argParser((text: string) => {
    if (text.length <= MAX_WHY_CHARACTERS) return text
    throw new InvalidArgumentError(`At most ${MAX_WHY_CHARACTERS} characters.`)
  })
}

/** The nodes that words choose, or all of them. */
export function nodeSelection(words: readonly string[], all: boolean): NodeSelection {
  if (all && words.length > 0) throw new InvalidArgumentError('--all and a selection: leave one of them out')
  if (all) return EVERY_NODE
  if (words.length === 0) throw new InvalidArgumentError('say which nodes: a name, site=SITE, or --all')
  const parsed = parseSelection(words)
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message)
  return parsed.selection
}

/** For options that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

/** A duration such as `30s` to ms. */
export function duration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms === null || ms <= 0) throw new InvalidArgumentError('Expected a duration such as 500ms, 30s or 5m.')
  return ms
}

/** A count. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number up to 999999.')
  return Number(text)
}
