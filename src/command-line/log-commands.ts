import { type Command, InvalidArgumentError, Option } from 'commander'
import { type LogFilter, logFilterSchema } from '../../protocol/log-filter.ts'
import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import { parseDurationMs } from '../../settings/units.ts'
import type { LogsWish } from '../commands/logs-request.ts'
import { LOG_FORMATS, type LogFormat, type LogStyle } from '../commands/logs-style.ts'
import { type NodeFilter, parseFilter } from '../fleet/filter.ts'
import { parseTime } from '../fleet/time-text.ts'
import { collect, type FleetFlags, fleetFlags, timeoutOption, wholeNumber } from './command-options.ts'
import { addPodLogOptions, type PodLogOptions, type PodsCommandRequest, podLogsWish } from './pods-commands.ts'

/** @see LogsWish */
export type LogsCommandRequest = FleetFlags & LogsWish

const DEFAULT_TAIL = 100
/** Nodes keep as much unless they are told otherwise. */
const KEPT_MS = 7 * 86_400_000
const MAX_CONTEXT = 1000
const NOTHING = { before: 0, after: 0 }

const EXAMPLES = `
Without --since or --until the newest ${DEFAULT_TAIL} lines are printed; with either all of the time, oldest first. With -f the newest lines of each
node come first, then what is new: lines are put into one order by the nodes' corrected clocks within 2 s, and one that comes later is
marked "late". Lines that are not there are a row that says how many and why. Exit code 0 also when no line matches; 1 when a node
did not answer or did not give all.

  edgedeck logs -f --level warn                          new warnings of all nodes
  edgedeck logs press-4 --since 2d --grep 'timeout|refused' -C 3
  edgedeck logs --filter site:plant-a --since 09:00 --until 09:10 --field camera=7
  edgedeck logs --since 7d --level error --histogram     when were there errors
  edgedeck logs -f --pod vision/camera-7 -c app          a container, through Kubernetes`

/** Add `logs`: kept lines of nodes, and new ones. */
export function addLogCommands(
  program: Command,
  accept: (request: LogsCommandRequest | PodsCommandRequest) => void,
  nowMs: number,
): void {
  const time = (text: string): number => {
    const durationMs = parseDurationMs(text)
    if (durationMs !== null && durationMs > 0) return nowMs - durationMs
    const parsed = parseTime(text, nowMs)
    if (!parsed.ok) throw new InvalidArgumentError(`${parsed.message}, or a duration such as 5m or 7d.`)
    return parsed.atMs
  }
  const command = program
    .command('logs')
    .description('Print log lines of nodes in one order of time: what they keep, and with -f what is new.')
    .argument('[NODE...]', 'only these nodes')
    .option('--filter <text>', 'only matching nodes, e.g. "site:plant-a state:up"', nodeFilter)
    .option('-f, --follow', 'go on with new lines', false)
    .addOption(new Option('--since <time>', 'from then on: 5m, 7d, 10:32, 2026-11-25 10:32').argParser(time))
    .addOption(new Option('--until <time>', 'up to then').argParser(time))
    .option('-n, --tail <count>', 'the newest so many lines, or all (with -f: of each node)', tail)
    .addOption(new Option('--level <level>', 'this level and worse').choices(LOG_LEVELS).default('info'))
    .option('--source <name>', 'only lines of this source, pods/* for all that begin so; may be repeated', collect, [])
    .option('-g, --grep <regex>', 'only lines in whose message or fields this RE2 expression is found')
    .option('-i, --ignore-case', 'in any case', false)
    .option('--contains <text>', 'only lines that hold this text, in any case')
    .option(
      '--field <test>',
      'only lines whose field is so: name=value, name!=value, name~regex; may be repeated',
      collect,
      [],
    )
    .option('-A, --after <lines>', 'that many lines of the same source after each', neighbours)
    .option('-B, --before <lines>', 'that many lines of the same source before each', neighbours)
    .option('-C, --context <lines>', 'both', neighbours)
    .option('--histogram', 'count lines by level over time instead', false)
    .option('--reverse', 'newest first', false)
    .option('--from-cloud', 'look at what reached the cloud, for nodes that are dead or keep it no more', false)
    .addOption(new Option('-o, --output <form>', 'how to print').choices(LOG_FORMATS).default('table'))
    .addOption(
      new Option('--fields <how>', 'how to print fields').choices(['none', 'inline', 'expanded']).default('inline'),
    )
    .addOption(new Option('--local', 'local time instead of UTC').default(false))
    .addOption(timeoutOption())
    .addHelpText('after', EXAMPLES)
    .action((names: string[], options: LogOptions & PodLogOptions) => {
      const wish = wishOf(names, options, nowMs)
      accept({ ...fleetFlags(program), ...(podLogsWish(wish, options) ?? wish) })
    })
  addPodLogOptions(command)
}

interface LogOptions {
  readonly filter?: NodeFilter
  readonly follow: boolean
  readonly since?: number
  readonly until?: number
  readonly tail?: number | 'all'
  readonly level: LogLevel
  readonly source: readonly string[]
  readonly grep?: string
  readonly ignoreCase: boolean
  readonly contains?: string
  readonly field: readonly string[]
  readonly after?: number
  readonly before?: number
  readonly context?: number
  readonly histogram: boolean
  readonly reverse: boolean
  readonly fromCloud: boolean
  readonly output: LogFormat
  readonly fields: LogStyle['fields']
  readonly local: boolean
  readonly timeout: number
}

function wishOf(names: readonly string[], options: LogOptions, nowMs: number): LogsWish {
  const { follow, since, until, histogram, fromCloud, reverse, output: format, timeout: timeoutMs } = options
  if (follow && format === 'json') throw new InvalidArgumentError('-o json never ends with --follow: use -o ndjson.')
  const endless = [
    [until !== undefined, '--until'],
    [reverse, '--reverse'],
    [histogram, '--histogram'],
    [fromCloud, '--from-cloud'],
    [(options.after ?? options.before ?? options.context) !== undefined, '-A, -B and -C'],
  ] as const
  const clash = endless.find(([is]) => is)
  if (follow && clash !== undefined) throw new InvalidArgumentError(`${clash[1]} and --follow do not go together.`)
  if (since !== undefined && until !== undefined && since > until) {
    throw new InvalidArgumentError('--since is after --until.')
  }
  const isRange = since !== undefined || until !== undefined || histogram
  const newest = options.tail ?? (isRange && !(follow && since === undefined) ? 'all' : DEFAULT_TAIL)
  const { context, before = context, after = context } = options
  return {
    kind: 'logs',
    names,
    selector: options.filter ?? null,
    filter: lineFilter(options),
    follow,
    fromMs: since ?? (histogram && until === undefined ? nowMs - 3_600_000 : Math.min(until ?? nowMs, nowMs) - KEPT_MS),
    toMs: follow ? null : (until ?? nowMs),
    tail: newest === 'all' ? null : newest,
    reverse,
    around: before === undefined && after === undefined ? NOTHING : { before: before ?? 0, after: after ?? 0 },
    histogram,
    fromCloud,
    style: { format, fields: options.fields, time: options.local ? 'local' : 'utc' },
    timeoutMs,
  }
}

function lineFilter({ level, source, grep, ignoreCase, contains, field }: LogOptions): LogFilter {
  if (grep !== undefined && contains !== undefined) {
    throw new InvalidArgumentError('--grep and --contains do not go together: write one expression.')
  }
  const pattern = grep ?? contains?.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const filter: LogFilter = {
    level,
    ...(source.length === 0 ? {} : { sources: [...source] }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(ignoreCase || contains !== undefined ? { ignoreCase: true } : {}),
    ...(field.length === 0 ? {} : { fields: field.map(fieldTest) }),
  }
  // A node answers nothing that it cannot read.
  const fault = logFilterSchema.safeParse(filter).error?.issues[0]
  if (fault !== undefined) throw new InvalidArgumentError(`${fault.path.join('.')}: ${fault.message}.`)
  const compiled = compileLogFilter(filter)
  if (compiled.ok) return filter
  const part = compiled.part === null ? '' : `: ${compiled.part}`
  throw new InvalidArgumentError(`"${compiled.pattern}" is no RE2 expression: ${compiled.message}${part}.`)
}

function fieldTest(text: string): NonNullable<LogFilter['fields']>[number] {
  const [, name = '', test = '', value = ''] = /^([^=!~]{1,256})(=|!=|~)(.{0,256})$/s.exec(text) ?? []
  if (test === '=' || test === '!=' || test === '~') return { name, test, value }
  throw new InvalidArgumentError(`"${text}" is no test of a field: write name=value, name!=value or name~regex.`)
}

function nodeFilter(text: string): NodeFilter {
  const parsed = parseFilter(text)
  if (!parsed.ok) {
    const ofLines = /(?:^|\s)!?(field|source):(\S*)/.exec(text)
    const instead = ofLines === null ? '' : ` (--filter chooses nodes; for lines write --${ofLines[1]} ${ofLines[2]})`
    throw new InvalidArgumentError(`${parsed.message}${instead}`)
  }
  return parsed.filter
}

function tail(text: string): number | 'all' {
  return text === 'all' ? 'all' : wholeNumber(text)
}

function neighbours(text: string): number {
  const lines = wholeNumber(text)
  if (lines <= MAX_CONTEXT) return lines
  throw new InvalidArgumentError(`At most ${MAX_CONTEXT} lines.`)
}
