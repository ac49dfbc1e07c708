import { fileURLToPath } from 'node:url'
import { Box } from 'ink'
import { cleanup, render } from 'ink-testing-library'
import { afterEach, expect, test } from 'vitest'
import { helpFor } from '../../../src/actions/keymap.ts'
import { loadKeymap } from '../../../src/actions/keymap-file.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import { Replay } from '../../../src/replay/replay.ts'
import { Console } from '../../../src/ui/console.ts'
import { ConsoleStore } from '../../../src/ui/console-store.ts'
import { Keys } from '../../../src/ui/keys.ts'
import { HelpOverlay } from '../../../src/ui/overlays/help.tsx'
import { PaletteOverlay } from '../../../src/ui/overlays/palette.tsx'
import { PLAIN_THEME } from '../../../src/ui/theme.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

const SIZE = { columns: 100, rows: 40 }

afterEach(cleanup)

function consoleOf(screenRows = 40): { console: Console; keys: Keys; quits: () => number } {
  let quits = 0
  const defaultFile = fileURLToPath(new URL('../../../keymaps/default.yaml', import.meta.url))
  const { schedule } = new ManualSchedule()
  const replay = new Replay({ live: new Fleet({ schedule }), sources: [], schedule, now: () => 0 })
  const console = new Console({
    fleet: replay.fleet,
    replay,
    store: new ConsoleStore(),
    keymap: loadKeymap({ defaultFile, userFile: null }).keymap,
    look: { theme: PLAIN_THEME, ascii: true },
    context: 'test',
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
    now: () => 0,
    quit: () => {
      quits += 1
    },
    redraw: () => undefined,
  })
  return { console, keys: new Keys(console, () => screenRows), quits: () => quits }
}

/** What Ink makes of an overlay on a screen of this size. */
function frameOf(overlay: React.ReactNode, size = SIZE): string {
  const screen = (
    <Box width={size.columns} height={size.rows}>
      {overlay}
    </Box>
  )
  return render(screen).lastFrame() ?? ''
}

function palette(console: Console, keys: Keys): string {
  const { overlay } = console.parts.store.get()
  if (overlay?.name !== 'palette') return ''
  return frameOf(<PaletteOverlay console={console} keys={keys} size={SIZE} {...overlay} />)
}

test('help lists the keys of the open screen and no others', () => {
  const { console } = consoleOf()
  const fleet = frameOf(<HelpOverlay console={console} size={SIZE} first={0} />)
  expect(fleet).toContain('keys of the fleet screen')
  expect(fleet).toMatch(/space +Mark/)
  expect(fleet).not.toContain('next error')
  console.parts.store.open({ name: 'logs', keys: null })
  const logs = frameOf(<HelpOverlay console={console} size={SIZE} first={0} />)
  expect(logs).toMatch(/e +Go to the next error/)
  expect(logs).not.toMatch(/space +Mark/)
})

test('help of a low and narrow terminal is read to its end, every sentence whole, key by key or in pages', () => {
  const low = { columns: 80, rows: 15 }
  const { console, keys } = consoleOf(low.rows)
  const seen = new Set<string>()
  const look = (): string => {
    const { overlay } = console.parts.store.get()
    if (overlay?.name !== 'help') return ''
    const frame = frameOf(<HelpOverlay console={console} size={low} first={overlay.first} />, low)
    for (const { description } of helpFor(console.parts.keymap, console.contexts())) {
      if (frame.includes(description)) seen.add(description)
    }
    return frame
  }
  console.parts.store.open({ name: 'logs', keys: null })
  keys.press('?')
  expect(look()).toMatch(/ 1 to 9 of 58; \^D scrolls, any other key closes/)
  keys.press('j')
  expect(look()).toContain(' 2 to 10 of 58')
  for (let page = 0; page < 6; page += 1) {
    keys.press('ctrl-d')
    look()
  }
  expect(look()).toContain(' 50 to 58 of 58')
  const wanted = helpFor(console.parts.keymap, console.contexts()).map(({ description }) => description)
  expect([...seen].sort()).toEqual(wanted.sort())
  keys.press('x')
  expect(console.parts.store.get().overlay).toBeNull()
})

test('help that fits is closed by any key', () => {
  const { console, keys } = consoleOf(80)
  keys.press('?')
  keys.press('j')
  expect(console.parts.store.get().overlay).toBeNull()
})

test('the palette narrows as letters are typed and runs what is chosen', () => {
  const { console, keys, quits } = consoleOf()
  keys.press(':')
  expect(palette(console, keys)).toContain('Half page down')
  for (const key of 'qui') keys.press(key)
  const narrowed = palette(console, keys)
  expect(narrowed).toContain(':qui_')
  expect(narrowed).toMatch(/> Quit/)
  keys.press('enter')
  expect(quits()).toBe(1)
  expect(console.parts.store.get().overlay).toBeNull()
})

test('letters that mean nothing are answered, and esc closes', () => {
  const { console, keys } = consoleOf()
  for (const key of [':', 'z', 'z', 'z']) keys.press(key)
  expect(palette(console, keys)).toContain('no action matches')
  keys.press('esc')
  expect(console.parts.store.get().overlay).toBeNull()
})

test('q typed into the palette is a letter, and ctrl-c always leaves', () => {
  const { keys, quits } = consoleOf()
  keys.press(':')
  keys.press('q')
  expect(quits()).toBe(0)
  keys.press('ctrl-c')
  expect(quits()).toBe(1)
})
