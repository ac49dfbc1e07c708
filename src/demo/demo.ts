import { constants } from 'node:os'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { Fleet } from '../fleet/fleet.ts'
import { LOG_WINDOW_MS } from '../fleet/log-merge.ts'
import type { LogFollow, NodeLink } from '../link/link.ts'
import { FleetLinks } from './fleet-links.ts'
import { runHeadless } from './headless.ts'
import { watchParent } from './parent-watch.ts'
import { programFile } from './places.ts'
import type { DemoControls } from './scenario.ts'
import { DEMO_NODES, DemoFleet } from './supervisor.ts'

const SCREEN_INTEREST = { status: true, alertBacklog: 100, logs: { filter: { level: 'info' }, backlog: 100 } } as const
const HEADLESS_INTEREST = { status: true, alertBacklog: null, logs: null } as const
const ENDING_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** What the demo hands to the screen. */
export interface DemoConsole {
  /** Holds every node from the start; they come up while the screen is there. */
  readonly fleet: Fleet
  /** The link to a node; undefined until it served for the first time. */
  readonly link: (key: string) => NodeLink | undefined
  /** Change which log lines are followed, on all nodes, also those that come up later. */
  readonly followLogs: (follow: LogFollow | null) => void
  readonly controls: DemoControls
  /** Hear what a person should know of the demo, one line each. Returns how to stop. */
  readonly onNotice: (listener: (text: string) => void) => () => void
  /** The screen ends when this is aborted. */
  readonly signal: AbortSignal
}

/** What {@link runDemo} needs. */
export interface DemoOptions {
  /** Shows the screen and resolves when the operator leaves it; null runs headless. */
  readonly runConsole: ((console: DemoConsole) => Promise<void>) | null
  /** Version of edgedeck, told to the daemons. */
  readonly version: string
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout?: NodeJS.WritableStream
  readonly stderr?: NodeJS.WritableStream
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Run the demo fleet, with a screen or headless, until somebody leaves it or a signal ends it; nothing of it is left
 * then. Resolves with the exit code: 0, or 128 + the signal's number.
 * @throws EdgeError when the fleet cannot be started at all.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { runConsole, version, stdin = process.stdin, stdout = process.stdout, stderr = process.stderr } = options
  // Before a screen hides the terminal: without a daemon there is nothing to see.
  programFile('daemon')
  const abort = new AbortController()
  const notices = new Set<(text: string) => void>()
  const fleet = new Fleet({ schedule, logWindowMs: LOG_WINDOW_MS })
  for (const { name } of DEMO_NODES) fleet.add(name, { nowMs: Date.now() })
  const interest = runConsole === null ? HEADLESS_INTEREST : SCREEN_INTEREST
  const links = new FleetLinks({ fleet, version, interest })
  const demo = new DemoFleet({
    onServing: (node, where) => links.open(node, where.liveUrl),
    onNotice: (text) => {
      for (const notice of notices) notice(text)
    },
    command: (node, verb, args) => links.command(node, verb, args),
  })
  let exitCode = 0
  const onSignal = (signal: NodeJS.Signals) => {
    exitCode = 128 + constants.signals[signal]
    abort.abort()
  }
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal)
  const byNpm = (options.env ?? process.env).npm_lifecycle_event !== undefined
  const stopWatching = byNpm ? watchParent(() => abort.abort()) : () => undefined

  let failure: unknown = null
  const started = demo.start().catch((error: unknown) => {
    failure = abort.signal.aborted ? null : error
    abort.abort()
  })
  const { signal } = abort
  try {
    if (runConsole === null) {
      notices.add((text) => stderr.write(`${text}\n`))
      await runHeadless({ controls: demo, view: () => fleet.view('now', Date.now()), stdin, stdout, stderr, signal })
    } else {
      const onNotice = (listener: (text: string) => void) => {
        notices.add(listener)
        return () => notices.delete(listener)
      }
      await runConsole({
        fleet,
        link: (key) => links.get(key),
        followLogs: (follow) => links.followLogs(follow),
        controls: demo,
        onNotice,
        signal,
      })
    }
  } finally {
    stopWatching()
    abort.abort()
    await links.stop()
    await demo.stop()
    await started
    for (const ending of ENDING_SIGNALS) process.off(ending, onSignal)
  }
  if (failure !== null) throw asEdgeError(failure)
  return exitCode
}

function schedule(fn: () => void, delayMs: number): () => void {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}

function asEdgeError(error: unknown): EdgeError {
  if (error instanceof EdgeError) return error
  return new EdgeError('TOOL_MISSING', {
    message: `the demo cannot be started: ${messageOf(error)}`,
    next: ['see that the temporary folder can be written'],
    cause: error,
  })
}
