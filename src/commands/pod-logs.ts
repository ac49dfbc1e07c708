import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { levelOfLine } from '../kube/line-level.ts'
import { type PodLogEvent, podLogs } from '../kube/pod-logs.ts'
import type { PodPlaces, WantedPod } from '../kube/pod-places.ts'
import type { CommandIo, OutputFormat } from './output.ts'

/** What `edgedeck logs --pod` is asked. */
export interface PodLogsWish extends WantedPod {
  readonly format: OutputFormat
  readonly follow: boolean
  readonly previous: boolean
  readonly level: LogLevel
  readonly contains: string | null
  /** Unix ms; null for the beginning. */
  readonly sinceMs: number | null
  readonly tail: number
}

/** How long to look for the pod, ms. */
const FIND_MS = 15_000

/** Print what a container writes. Resolves when its log has ended. @throws EdgeError when it cannot be read */
export async function runPodLogs(wish: PodLogsWish, pods: PodPlaces, io: CommandIo): Promise<void> {
  const found = await pods.find(wish, AbortSignal.any([io.signal, AbortSignal.timeout(FIND_MS)]))
  const { follow, previous, sinceMs, tail, format } = wish
  const source = `${found.namespace}/${found.pod}/${found.name}`
  const rows: unknown[] = []
  try {
    for await (const event of podLogs(pods.api(), { container: found, follow, previous, sinceMs, tail }, io.signal)) {
      if (!isWanted(event, wish)) continue
      if (format === 'table') await written(io, podLogRowAsText(event, source))
      else if (format === 'ndjson') await written(io, JSON.stringify(podLogRowAsJson(event, source)))
      else rows.push(podLogRowAsJson(event, source))
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
function isWanted(event: PodLogEvent, { level, contains }: PodLogsWish): boolean {
  if (event.kind !== 'line') return true
  if (LOG_LEVELS.indexOf(levelOfLine(event.text)) < LOG_LEVELS.indexOf(level)) return false
  return contains === null || event.text.toLowerCase().includes(contains.toLowerCase())
}

/** A reader that is slow lets the container's log wait. */
async function written(io: CommandIo, line: string): Promise<void> {
  if (io.stdout.write(`${line}\n`)) return
  await new Promise<void>((resolve) => io.stdout.once('drain', resolve))
}
