import { LOG_LEVELS } from '../../protocol/records.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { type LogTally, tallyLogs } from '../link/log-tally.ts'
import type { FoundNodes } from './logs-nodes.ts'
import type { LogsWish } from './logs-request.ts'
import { timeText } from './logs-text.ts'
import { type CommandIo, type PrintedColumn, printJson, printTable } from './output.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Widths of steps that people count in. */
const STEPS_MS = [
  ...[1, 5, 10, 30].map((count) => count * SECOND_MS),
  ...[1, 5, 10, 30].map((count) => count * MINUTE_MS),
  ...[1, 3, 6, 12, 24].map((count) => count * HOUR_MS),
]
/** What a screen of lines holds with its title. */
const MAX_STEPS = 48
/** Nodes that are named under the table; the others are counted. */
const MOST_NAMED = 5
const BAR_COLUMNS = 30
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/**
 * Print how many lines of each level there were over time, and whose are not among them; no steps at all when no node
 * counted, for zeros would read as "no errors". Resolves with whether every node counted.
 */
export async function printHistogram(
  wish: Pick<LogsWish, 'fromMs' | 'toMs' | 'filter' | 'style'>,
  { found, missing }: FoundNodes,
  io: CommandIo,
): Promise<boolean> {
  const toMs = wish.toMs ?? Date.now()
  const stepMs = stepOf(toMs - wish.fromMs)
  const fromMs = Math.floor(wish.fromMs / stepMs) * stepMs
  const tally = await tallyLogs(found, { fromMs, toMs, stepMs, filter: wish.filter }, io.signal)
  for (const [key, { message }] of tally.failures)
    io.stderr.write(`edgedeck: ${untrusted(key)}: ${untrusted(message)}\n`)
  if (io.signal.aborted) return false
  if (tally.knownFromMs > fromMs) {
    io.stderr.write(
      `edgedeck: what was before ${timeText(tally.knownFromMs, wish.style.time)} is not kept by every node\n`,
    )
  }
  const { format } = wish.style
  const steps = tally.failures.size === found.length ? [] : tally.steps
  const uncounted = [...missing, ...[...tally.failures.keys()].map((key) => untrusted(key))]
  if (format === 'json' || format === 'ndjson') io.stdout.write(printJson(steps.map(asJson), format))
  else if (steps.length > 0) io.stdout.write(histogramAsText({ steps }, wish.style.time) + uncountedText(uncounted))
  return uncounted.length === 0
}

/** The narrowest step in which a range has no more than a screen of them, ms. */
export function stepOf(rangeMs: number): number {
  const fits = STEPS_MS.find((stepMs) => rangeMs / stepMs <= MAX_STEPS)
  return fits ?? Math.ceil(rangeMs / MAX_STEPS / DAY_MS) * DAY_MS
}

/** One line a step, oldest first: counts by level, and a bar of all of them. */
export function histogramAsText({ steps }: Pick<LogTally, 'steps'>, zone: 'local' | 'utc'): string {
  const sum = (lines: readonly number[]): number => lines.reduce((all, count) => all + count, 0)
  const most = Math.max(1, ...steps.map(({ lines }) => sum(lines)))
  type Step = (typeof steps)[number]
  const levels = LOG_LEVELS.map((level, index): PrintedColumn<Step> => {
    return { title: level.toUpperCase(), align: 'right', text: ({ lines }) => String(lines[index] ?? 0) }
  })
  const columns: PrintedColumn<Step>[] = [
    { title: 'FROM', text: ({ startMs }) => timeText(startMs, zone).replace('.000', '') },
    ...levels.reverse(),
    { title: 'ALL', text: ({ lines }) => barOf(sum(lines) / most) },
  ]
  return printTable(columns, steps)
}

/** Whose lines a table does not count, as its last line; empty when it counts all. */
function uncountedText(names: readonly string[]): string {
  if (names.length === 0) return ''
  const others = names.length - MOST_NAMED
  return `not counted: ${names.slice(0, MOST_NAMED).join(', ')}${others > 0 ? ` and ${others} more` : ''}\n`
}

function asJson({ startMs, lines }: LogTally['steps'][number]): Record<string, number> {
  return { startMs, ...Object.fromEntries(LOG_LEVELS.map((level, index) => [level, lines[index] ?? 0])) }
}

function barOf(share: number): string {
  const eighths = Math.ceil(share * BAR_COLUMNS * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}
