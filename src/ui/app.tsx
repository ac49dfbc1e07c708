import { Box, Text } from 'ink'
import { useCallback, useSyncExternalStore } from 'react'
import type { Console } from './console.ts'
import type { Overlay } from './console-store.ts'
import { SMALLEST } from './fleet-layout.ts'
import type { Keys } from './keys.ts'
import { HelpOverlay } from './overlays/help.tsx'
import { PaletteOverlay } from './overlays/palette.tsx'
import { RolloutOverlay } from './overlays/rollout.tsx'
import { ShellOverlay } from './overlays/shell.tsx'
import { demoStrip } from './panes/demo-strip.ts'
import { fleetHeader } from './panes/fleet-header.ts'
import { footerLine } from './panes/footer.ts'
import { rolloutStrip } from './panes/rollout-strip.ts'
import { timeBarRows } from './panes/time-bar.ts'
import { ExecScreen } from './screens/exec-screen.tsx'
import { FleetScreen } from './screens/fleet-screen.tsx'
import { LogsScreen } from './screens/logs-screen.tsx'
import { NodeScreen } from './screens/node-screen.tsx'
import { Pane } from './screens/pane.tsx'
import { PictureScreen } from './screens/picture-screen.tsx'
import { ResultsScreen } from './screens/results-screen.tsx'
import { RolloutScreen } from './screens/rollout-screen.tsx'
import { RolloutsScreen } from './screens/rollouts-screen.tsx'
import { TimeBarPane } from './screens/time-bar-pane.tsx'
import type { Size } from './terminal/line.ts'

/** Where the size of the terminal comes from. */
export interface SizeSource {
  get(): Size
  subscribe(listener: () => void): () => void
}

/** The whole console: a header, the open screen, a footer, and what lies over them. */
export function App({
  console,
  keys,
  sizes,
}: {
  readonly console: Console
  readonly keys: Keys
  readonly sizes: SizeSource
}) {
  const size = useSyncExternalStore(sizes.subscribe, sizes.get)
  const { store, look, keymap, demo } = console.parts
  // Only what is laid out anew is read here: a cursor that moves is painted by its pane, without a render.
  const overlay = useSyncExternalStore(store.subscribe, () => dialogOf(store.get().overlay))
  const isPast = useSyncExternalStore(store.subscribe, () => store.get().replay !== null)
  const barRows = isPast ? timeBarRows(size.rows) : 0
  const rolloutRows = useSyncExternalStore(store.subscribe, () => console.rollouts.stripRows())
  const rollouts = useCallback(
    (area: Size) => [rolloutStrip(console.rollouts.running(), keymap, look, area.columns)],
    [console, keymap, look],
  )
  const header = useCallback(
    (area: Size) => {
      const { context, production, standing } = console.parts
      const { replay } = store.get()
      const text = {
        context,
        production,
        standing: standing(),
        nowMs: console.nowMs(),
        replay,
        isLoading: console.isLoading(),
      }
      return fleetHeader(console.view(), text, look, area.columns)
    },
    [console, look, store],
  )
  const footer = useCallback((area: Size) => [footerLine(console, area.columns)], [console])
  const strip = useCallback(
    (area: Size) =>
      demo === null
        ? []
        : [
            demoStrip(
              demo,
              { keymap, nodeKey: console.currentKey(), locked: store.get().replay !== null },
              look,
              area.columns,
            ),
          ],
    [demo, console, keymap, look, store],
  )
  if (size.columns < SMALLEST.columns || size.rows < SMALLEST.rows) {
    const text = `This terminal is ${size.columns}×${size.rows}; edgedeck needs ${SMALLEST.columns}×${SMALLEST.rows} or more. Enlarge it, or press q.`
    return <Text>{look.ascii ? text.replaceAll('×', 'x') : text}</Text>
  }
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows}>
      <Pane console={console} columns={size.columns} rows={2} draw={header} />
      <Pane console={console} columns={size.columns} rows={rolloutRows} draw={rollouts} />
      <Screen console={console} size={{ columns: size.columns, rows: size.rows - barRows - rolloutRows }} />
      {barRows > 0 && <TimeBarPane console={console} columns={size.columns} rows={barRows} />}
      {demo !== null && <Pane console={console} columns={size.columns} rows={1} draw={strip} />}
      <Pane console={console} columns={size.columns} rows={1} draw={footer} />
      {overlay?.name === 'help' && <HelpOverlay console={console} size={size} first={overlay.first} />}
      {overlay?.name === 'shell' && <ShellOverlay console={console} size={size} face={overlay.face} />}
      {overlay?.name === 'rollout' && <RolloutOverlay console={console} size={size} face={overlay.face} />}
      {overlay?.name === 'palette' && (
        <PaletteOverlay console={console} keys={keys} size={size} text={overlay.text} row={overlay.row} />
      )}
    </Box>
  )
}

const TYPED = ['filter', 'find', 'time', 'exec'] as const
type Typed = (typeof TYPED)[number]

/** What lies over the screen; a filter and a time are typed in the footer. */
function dialogOf(overlay: Overlay | null): Exclude<Overlay, { name: Typed }> | null {
  const isTyped = overlay !== null && TYPED.some((name) => name === overlay.name)
  return isTyped ? null : (overlay as Exclude<Overlay, { name: Typed }> | null)
}

function Screen({ console, size }: { readonly console: Console; readonly size: Size }) {
  const demo = console.parts.demo !== null
  const { store } = console.parts
  const screen = useSyncExternalStore(store.subscribe, store.screen)
  const listRows = size.rows - 3 - (demo ? 1 : 0)
  switch (screen.name) {
    case 'fleet':
      return <FleetScreen console={console} size={size} />
    case 'node':
      return <NodeScreen key={screen.key} console={console} size={size} nodeKey={screen.key} demo={demo} />
    case 'logs':
      return <LogsScreen console={console} size={size} demo={demo} />
    case 'results':
      return <ResultsScreen key={screen.key} console={console} size={size} nodeKey={screen.key} rows={listRows} />
    case 'exec':
      return <ExecScreen console={console} columns={size.columns} rows={listRows} />
    case 'rollouts':
      return <RolloutsScreen console={console} columns={size.columns} rows={listRows} />
    case 'rollout':
      return <RolloutScreen key={screen.id} console={console} columns={size.columns} rows={listRows} id={screen.id} />
    case 'picture':
      return <PictureScreen console={console} size={size} of={screen} rows={listRows} />
  }
}
