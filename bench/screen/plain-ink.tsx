import '../../src/ui/terminal/full-colour.ts'
import { join } from 'node:path'
import { render, useInput } from 'ink'
import { loadKeymap } from '../../src/actions/keymap-file.ts'
import { decodeKeys } from '../../src/actions/keys.ts'
import { FleetSession } from '../../src/commands/fleet-session.ts'
import { loadConsoleConfig } from '../../src/config/console-config.ts'
import type { Schedule } from '../../src/fleet/coalescer.ts'
import { LOCAL_STANDING } from '../../src/identity/standing.ts'
import { Replay } from '../../src/replay/replay.ts'
import { App } from '../../src/ui/app.tsx'
import { Console } from '../../src/ui/console.ts'
import { ConsoleStore } from '../../src/ui/console-store.ts'
import { Keys } from '../../src/ui/keys.ts'
import type { Size } from '../../src/ui/terminal/line.ts'
import { loadTheme } from '../../src/ui/theme.ts'

/**
 * The console as Ink alone draws it: the same links, fleet, panes, screens and keys, but every line an Ink `<Text>`
 * (`plain-canvas.tsx` takes the place of the canvas when this is bundled), written by Ink to an ordinary stdout at its
 * 30 frames a second on the alternate screen. Run by `bench/screen.ts` with the path of a configuration.
 */
const assetsDir = join(import.meta.dirname, '..')
const configFile = process.argv[2] ?? ''
const config = loadConsoleConfig(configFile, true)
const session = new FleetSession({
  nodes: config.nodes,
  access: { version: '0' },
  interest: { status: true, alertBacklog: 100, logs: { filter: { level: config.logLevel }, backlog: 100 } },
})
const { promise: left, resolve: leave } = Promise.withResolvers<void>()
const schedule: Schedule = (fn, delayMs) => {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}
const replay = new Replay({ live: session.fleet, sources: [], schedule, now: Date.now })
const console = new Console({
  fleet: replay.fleet,
  replay,
  store: new ConsoleStore(),
  keymap: loadKeymap({ defaultFile: join(assetsDir, 'keymaps/default.yaml'), userFile: null }).keymap,
  look: { theme: loadTheme(config.theme, join(assetsDir, 'themes')).theme, ascii: false },
  context: configFile,
  production: false,
  standing: () => LOCAL_STANDING,
  demo: null,
  firstLogs: { level: 'info' },
  copy: () => 'copied',
  logsDir: '/nonexistent',
  link: () => undefined,
  colour: true,
  picturesDir: '/nonexistent',
  schedule,
  now: Date.now,
  quit: leave,
  redraw: () => undefined,
})
const keys = new Keys(console, () => process.stdout.rows)
const size: Size = { columns: process.stdout.columns, rows: process.stdout.rows }
const sizes = { get: () => size, subscribe: () => () => undefined }

function PlainConsole() {
  useInput((input) => {
    for (const key of decodeKeys(input)) keys.press(key)
  })
  return <App console={console} keys={keys} sizes={sizes} />
}

session.start()
const ink = render(<PlainConsole />, { alternateScreen: true, patchConsole: false, exitOnCtrlC: false })
await left
ink.unmount()
await session.stop()
process.exit()
