import { join } from 'node:path'
import type { LogFilter } from '../../protocol/log-filter.ts'
import type { LogLevel } from '../../protocol/records.ts'
import { loadKeymap } from '../actions/keymap-file.ts'
import type { Schedule } from '../fleet/coalescer.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Standing } from '../identity/standing.ts'
import type { HistorySource } from '../link/history-source.ts'
import type { NodeLink } from '../link/link.ts'
import { NodeHistorySource } from '../link/node-history.ts'
import type { FindPlaces } from '../remote/contract.ts'
import { Replay } from '../replay/replay.ts'
import type { ConsoleExecMeans } from '../shell/fan-out-exec.ts'
import type { ShellDesk } from '../shell/open-shell.ts'
import { Console } from './console.ts'
import { ConsoleStore } from './console-store.ts'
import type { DemoPanel } from './demo-panel.ts'
import { mountConsole } from './mount.tsx'
import type { RolloutParts } from './rollouts/visit.ts'
import { detectCapabilities } from './terminal/capabilities.ts'
import { clipboardText } from './terminal/clipboard.ts'
import { Compositor } from './terminal/compositor.ts'
import { InputRouter } from './terminal/input-router.ts'
import { writeAsGiven } from './terminal/raw-output.ts'
import { TerminalSession } from './terminal/session.ts'
import { TerminalLender } from './terminal/terminal-lender.ts'
import { loadTheme } from './theme.ts'

/** What the screen is shown over, and how. */
export interface ConsoleOptions {
  readonly fleet: Fleet
  /** The link to a node; undefined while there is none. */
  readonly link: (key: string) => NodeLink | undefined
  /** Told which nodes are looked at, so that the others tell less; absent where all tell all the time. */
  readonly watch?: (keys: ReadonlySet<string>) => void
  /** Who knows the past besides the nodes, asked after them; absent = nobody. */
  readonly archives?: readonly HistorySource[]
  /** Where the fleet comes from, for the header. */
  readonly context: string
  /** Whether the fleet is one that others depend on. */
  readonly production: boolean
  /** Who the operator is now. */
  readonly standing: () => Standing
  readonly config: { readonly theme: string; readonly ascii: boolean | null; readonly logLevel: LogLevel }
  /** The user's key map; may be absent on disk. */
  readonly keymapFile: string
  /** Which log lines links follow by themselves. */
  readonly firstLogs: LogFilter
  /** Folder for pictures that the operator saves. */
  readonly picturesDir: string
  /** Folder for log lines that the operator saves. */
  readonly logsDir: string
  /** Folder that holds `keymaps/` and `themes/`. */
  readonly assetsDir: string
  /** What commands are run on nodes with; absent where they are not. */
  readonly exec?: ConsoleExecMeans
  /** How shells are opened on nodes; absent where they cannot be. */
  readonly shells?: { readonly desk: ShellDesk; readonly find: FindPlaces }
  /** How models are rolled out; absent where they cannot be. */
  readonly rollouts?: RolloutParts
  /** Null outside a demo. */
  readonly controls: DemoPanel | null
  /** Hear what a person should know; returns how to stop. */
  readonly onNotice: (listener: (text: string) => void) => () => void
  /** The screen ends when this is aborted. */
  readonly signal: AbortSignal
}

const schedule: Schedule = (fn, delayMs) => {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}

/** Take the terminal, show the console, give the terminal back. Resolves when the operator leaves or `signal` aborts. */
export async function runConsole(options: ConsoleOptions): Promise<void> {
  const { fleet, config, signal } = options
  const { promise: left, resolve: leave } = Promise.withResolvers<void>()
  const capabilities = detectCapabilities()
  const ascii = config.ascii ?? capabilities.ascii
  const { theme, problems: themeProblems } = loadTheme(config.theme, join(options.assetsDir, 'themes'))
  const { keymap, problems: keyProblems } = loadKeymap({
    defaultFile: join(options.assetsDir, 'keymaps', 'default.yaml'),
    userFile: options.keymapFile,
  })
  const store = new ConsoleStore()
  for (const problem of [...themeProblems, ...keyProblems]) store.notify(problem)
  store.setLogs({ minLevel: config.logLevel })
  const compositor = new Compositor({ screen: process.stdout, depth: capabilities.depth, ascii })
  const sources = [new NodeHistorySource(options.link), ...(options.archives ?? [])]
  const replay = new Replay({ live: fleet, sources, schedule, now: Date.now })
  const painter = {
    stop: () => compositor.stop(),
    start: () => {
      compositor.start()
      compositor.repaint()
    },
  }
  const router = new InputRouter({ terminal: process.stdin })
  const session = new TerminalSession({
    outputFd: process.stdout.fd,
    setRawMode: (raw) => process.stdin.setRawMode(raw),
    setRawOutput: writeAsGiven,
    onEnd: () => leave(),
    onSuspend: () => painter.stop(),
    onResume: () => painter.start(),
  })
  const lender = new TerminalLender({ session, router, output: process.stdout, painter })
  const console = new Console({
    fleet: replay.fleet,
    replay,
    store,
    keymap,
    look: { theme, ascii },
    context: options.context,
    production: options.production,
    standing: options.standing,
    demo: options.controls,
    firstLogs: options.firstLogs,
    copy: (text) => {
      const copied = clipboardText(text, process.env)
      if (!copied.ok) return copied.message
      compositor.send(copied.sequence)
      return `copied ${copied.bytes} bytes${copied.needs === null ? '' : `; ${copied.needs}`}`
    },
    logsDir: options.logsDir,
    ...(options.exec === undefined ? {} : { exec: options.exec }),
    ...(options.rollouts === undefined ? {} : { rollouts: options.rollouts }),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    link: options.link,
    picturesDir: options.picturesDir,
    colour: capabilities.depth !== 'none',
    schedule,
    now: Date.now,
    quit: leave,
    redraw: () => compositor.repaint(),
    ...(options.shells === undefined
      ? {}
      : {
          shells: {
            ...options.shells,
            lend: (work, typedAhead) => lender.lend(work, typedAhead),
            size: () => ({ columns: compositor.columns, rows: compositor.rows }),
            term: process.env.TERM ?? 'xterm-256color',
          },
        }),
  })
  const stopAttending = store.subscribe(() => console.attention.settle())
  const stopNotices = options.onNotice((text) => console.toast(text))
  signal.addEventListener('abort', () => leave(), { once: true })
  if (signal.aborted) leave()

  session.enter()
  compositor.start()
  router.start()
  const unmount = mountConsole(console, compositor, router.ink)
  console.rollouts.start()
  try {
    await left
  } finally {
    // A shell that is open ends with the console, and its end is written down.
    await console.shell.stop()
    await console.rollouts.stop()
    stopNotices()
    stopAttending()
    compositor.stop()
    unmount()
    router.stop()
    session.close()
    await console.exec.close()
  }
}
