import './terminal/full-colour.ts'
import { render } from 'ink'
import { decodeKeys } from '../actions/keys.ts'
import { App, type SizeSource } from './app.tsx'
import type { Console } from './console.ts'
import { layoutFleet } from './fleet-layout.ts'
import { Keys } from './keys.ts'
import { timeBarRows } from './panes/time-bar.ts'
import type { Compositor } from './terminal/compositor.ts'
import type { InkInput } from './terminal/input-router.ts'
import type { Size } from './terminal/line.ts'
import { CompositorContext } from './widgets/canvas.tsx'

/** Put a console on a compositor and let it hear the keys of an input. Returns how to take it off again. */
export function mountConsole(console: Console, compositor: Compositor, input: InkInput): () => void {
  const keys = new Keys(console, () => listRows(console, compositor))
  input.on('data', (chunk: Buffer | string) => {
    for (const key of decodeKeys(chunk.toString())) keys.press(key)
  })
  const stopReading = console.parts.store.subscribe(() => console.logs.settle())
  const ink = render(
    <CompositorContext.Provider value={compositor}>
      <App console={console} keys={keys} sizes={sizesOf(compositor)} />
    </CompositorContext.Provider>,
    {
      stdout: compositor as unknown as NodeJS.WriteStream,
      stdin: input as unknown as NodeJS.ReadStream,
      debug: true,
      patchConsole: false,
      exitOnCtrlC: false,
      interactive: true,
    },
  )
  return () => {
    stopReading()
    console.logs.close()
    console.logCounts.stop()
    console.head.stop()
    console.parts.replay.stop()
    ink.unmount()
  }
}

/** Rows that the list of the open screen shows at once. */
function listRows(console: Console, compositor: Compositor): number {
  const { fleet, demo, store } = console.parts
  const barRows = store.get().replay === null ? 0 : timeBarRows(compositor.rows)
  const size = { columns: compositor.columns, rows: compositor.rows - barRows - console.rollouts.stripRows() }
  if (console.screen().name === 'fleet') return layoutFleet(size, fleet.keys().length, demo !== null).table - 2
  return size.rows - 4
}

/** The size of the screen as React reads it: the same object until it changes. */
function sizesOf(compositor: Compositor): SizeSource {
  let size: Size = { columns: compositor.columns, rows: compositor.rows }
  return {
    get: () => {
      const { columns, rows } = compositor
      if (columns !== size.columns || rows !== size.rows) size = { columns, rows }
      return size
    },
    subscribe: (listener) => {
      compositor.on('resize', listener)
      return () => compositor.off('resize', listener)
    },
  }
}
