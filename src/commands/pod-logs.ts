import type { LogFilter } from '../../protocol/log-filter.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import { levelOfLine } from '../kube/line-level.ts'
import { type PodLogEvent, podLogs } from '../kube/pod-logs.ts'
import type { PodPlaces, WantedPod } from '../kube/pod-places.ts'
import type { LogFormat } from './logs-style.ts'
import type { CommandIo } from './output.ts'

/** What `edgedeck logs --pod` is asked; times are Unix ms. */
export interface PodLogsWish extends WantedPod {
  readonly format: LogFormat
  readonly follow: boolean
  readonly previous: boolean
  readonly filter: LogFilter
  /** Null for the beginning. */
  readonly fromMs: number | null
  /** Null for what will still come. */
  readonly toMs: number | null
  /** The newest that many lines; null for all. */
  readonly tail: number | null
}

/** How long to look for the pod, ms. */
const FIND_MS = 15_000

/** Print what a container writes. Resolves when its log has ended. @throws EdgeError when it cannot be read */
export async function runPodLogs(wish: PodLogsWish, pods: PodPlaces, io: CommandIo): Promise<void> {
  const found = await pods.find(wish, AbortSignal.any([io.signal, AbortSignal.timeout(FIND_MS)]))
  const { follow, previous, fromMs: sinceMs, tail, format } = wish
  const source = `${found.namespace}/${found.pod}/${found.name}`
  const isWanted = wanted(wish, source)
  const rows: unknown[] = []
  try {
    for await (const event of podLogs(pods.api(), { container: found, follow, previous, sinceMs, tail }, io.signal)) {
      if (!isWanted(event)) continue
      if (format === 'table') await written(io, podLogRowAsText(event, source))
      else if (format === 'ndjson') await written(io, JSON.stringify(podLogRowAsJson(event, source)))
      else if (format === 'json') rows.push(podLogRowAsJson(event, source))
      else if (event.kind === 'line') await written(io, untrusted(event.text))
      else io.stderr.write(`edgedeck: ${source}: ${event.text}\n`)
    }
  } catch (error) {
    if (!io.signal.aborted) throw error
  }
  if (format === 'json') io.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
}

/** One line of the plain form: time (UTC), level, source and what was written. Safe to show. */
export function podLogRowAsText(event: PodLogEvent, source: string): string {
  const time = event.atMs === null ? '' : `${new Date(event.atMs).toISOString()} `
  if (event.kind !== 'line') return `${time}----- ${source}: ${event.text}`
  const cut = event.cutChars === 0 ? '' : ` … ${event.cutChars} characters more`
  return `${time}${levelOfLine(event.text).toUpperCase().padEnd(5)} ${source}: ${untrusted(event.text)}${cut}`
}

/** A row as `-o json` has it: times are Unix ms on the node's clock. Texts are safe to show. */
export function podLogRowAsJson(event: PodLogEvent, source: string): Record<string, unknown> {
  if (event.kind !== 'line') return { kind: event.kind, source, atMs: event.atMs, msg: event.text }
  const { atMs, stamp, text, cutChars } = event
  const cut = cutChars === 0 ? {} : { cutChars }
  return { kind: 'line', source, atMs, stamp, level: levelOfLine(text), msg: untrusted(text), ...cut }
}

/** What is missing or good to know is told whatever is looked for. */
function wanted({ filter, toMs }: PodLogsWish, source: string): (event: PodLogEvent) => boolean {
  const compiled = compileLogFilter(filter)
  return (event) => {
    if (event.kind !== 'line') return true
    if (toMs !== null && event.atMs !== null && event.atMs > toMs) return false
    const { text } = event
    return (
      !compiled.ok || compiled.matcher.matches({ level: levelOfLine(text), source, msg: text, fields: fieldsOf(text) })
    )
  }
}

/** The fields of a line that is a JSON object. */
function fieldsOf(text: string): Record<string, string | number | boolean> {
  if (!text.startsWith('{')) return {}
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, unknown>)
    return Object.fromEntries(
      entries.flatMap(([name, value]) =>
        typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[name, value]] : [],
      ),
    )
  } catch {
    return {}
  }
}

/** A reader that is slow lets the container's log wait. */
async function written(io: CommandIo, line: string): Promise<void> {
  if (io.stdout.write(`${line}\n`)) return
  await new Promise<void>((resolve) => io.stdout.once('drain', resolve))
}
