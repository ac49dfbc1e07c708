import { createInterface } from 'node:readline'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { FleetView } from '../fleet/view.ts'
import { carryOut, type DemoControls, type DemoState, parseDemoCommand } from './scenario.ts'

const LINE_EVERY_MS = 1000

/** One node in a line of the headless demo; what is not known is null. */
export interface HeadlessNode {
  readonly name: string
  readonly site: string
  readonly state: 'up' | 'stale' | 'offline' | null
  readonly pid: number | null
  readonly stateDir: string
  readonly inferUrl: string | null
  readonly liveUrl: string | null
  readonly inferencesPerSec: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly rawBytesPerSec: number | null
  readonly upstreamBytesPerSec: number | null
  readonly savedPct: number | null
  readonly backlogRecords: number | null
}

/** What the headless demo prints once a second. */
export interface HeadlessLine {
  readonly nodes: readonly HeadlessNode[]
  readonly cloud: { readonly kind: 'nats' | 'http' | null; readonly url: string | null }
  /** Models that can be rolled out: what each is, its package, and what will be seen. */
  readonly models: readonly {
    readonly what: string
    readonly model: string
    readonly folder: string
    /** Where nodes fetch it, as `--from` takes it. */
    readonly from: string | null
    readonly story: string
  }[]
  /** File of a strategy in seconds, as `--strategy` takes it. */
  readonly strategy: string | null
}

/** The line for how the demo and the fleet stand now. Figures of a node that does not report are not known. */
export function headlessLine(state: DemoState, fleet: FleetView): HeadlessLine {
  const views = new Map(fleet.nodes.map((view) => [view.key, view]))
  return {
    nodes: state.nodes.map((node) => {
      const view = views.get(node.name)
      const fresh = view?.state === 'up' ? view : undefined
      return {
        name: node.name,
        site: node.site,
        state: view === undefined || view.state === 'connecting' || view.state === 'unknown' ? null : view.state,
        pid: node.pid,
        stateDir: node.stateDir,
        inferUrl: node.inferUrl,
        liveUrl: node.liveUrl,
        inferencesPerSec: rounded(fresh?.inferencesPerSec),
        p50Ms: rounded(fresh?.p50Ms),
        p99Ms: rounded(fresh?.p99Ms),
        rawBytesPerSec: rounded(fresh?.rawBytesPerSec),
        upstreamBytesPerSec: rounded(fresh?.upBytesPerSec),
        savedPct: rounded(fresh?.savedPct),
        backlogRecords: fresh?.backlogRecords ?? null,
      }
    }),
    models: state.models.map(({ what, item, folder, sources, story }) => ({
      what,
      model: `${item.name}@${item.version}`,
      folder,
      from: sources.find((source) => source.kind === 'https')?.url ?? null,
      story,
    })),
    strategy: state.strategyFile,
    cloud: { kind: state.cloud.kind === 'starting' ? null : state.cloud.kind, url: state.cloud.url },
  }
}

/** What {@link runHeadless} needs. */
export interface HeadlessOptions {
  readonly controls: DemoControls
  readonly view: () => FleetView
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  /** Ends it from outside. */
  readonly signal: AbortSignal
}

/**
 * Print one JSON line a second and obey lines of standard input. Resolves after `quit`, on abort, or when nobody reads
 * the output any more; the end of standard input changes nothing.
 */
export async function runHeadless(options: HeadlessOptions): Promise<void> {
  const { controls, view, stdin, stdout, stderr, signal } = options
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  if (signal.aborted) end()
  signal.addEventListener('abort', () => end(), { once: true })
  const print = () => {
    // A reader that does not keep up gets fewer lines, not older ones.
    if (!stdout.writable || ('writableNeedDrain' in stdout && stdout.writableNeedDrain === true)) return
    stdout.write(`${JSON.stringify(headlessLine(controls.state(), view()))}\n`)
  }
  const onStdoutError = () => end()
  stdout.on('error', onStdoutError)
  const lines = createInterface({ input: stdin })
  lines.on('line', (line) => {
    if (line.trim() === '') return
    obey(line, controls).then(
      (quit) => quit && end(),
      (error: unknown) => stderr.write(`${error instanceof EdgeError ? error.toLine() : messageOf(error)}\n`),
    )
  })
  const timer = setInterval(print, LINE_EVERY_MS)
  print()
  await ended
  clearInterval(timer)
  lines.close()
  stdout.off('error', onStdoutError)
}

async function obey(line: string, controls: DemoControls): Promise<boolean> {
  const command = parseDemoCommand(line)
  if (command.verb === 'quit') return true
  await carryOut(command, controls)
  return false
}

function rounded(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Math.round(value * 100) / 100
}
