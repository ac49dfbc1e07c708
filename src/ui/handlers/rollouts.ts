import type { ActionHandlers } from '../../actions/run.ts'
import { type Cursor, moveCursor } from '../../fleet/cursor.ts'
import type { Console } from '../console.ts'
import { ROLLOUT_LISTS } from '../console-store.ts'
import { ACTS, type Act } from '../rollouts/acts.ts'
import type { RolloutEntry } from '../rollouts/book.ts'

/** What keys do wherever a rollout can be begun or gone to. */
export function rolloutOpeners(console: Console): ActionHandlers {
  return {
    'rollout.open': () => {
      const obstacle = console.rollouts.book.obstacle
      const keys = chosenNodes(console)
      if (obstacle !== null) console.toast(obstacle)
      else if (keys.length === 0) console.toast('there is no node here to roll out to')
      else void console.rollouts.visit.open(keys)
    },
    'rollout.list': () => {
      const obstacle = console.rollouts.book.obstacle
      if (obstacle !== null) console.toast(obstacle)
      else openList(console)
    },
  }
}

/** Go to the list of rollouts: back to it where it is open already. */
function openList({ parts: { store } }: Console): void {
  const { stack } = store.get()
  const at = stack.findLastIndex(({ name }) => name === 'rollouts')
  if (at < 0) store.open({ name: 'rollouts' })
  else store.set({ stack: stack.slice(0, at + 1), left: store.screen() })
}

/** The marked nodes; with a filter those that it shows; else the one that keys act on. */
function chosenNodes(console: Console): readonly string[] {
  const { marked, filter } = console.parts.store.get().fleet
  const isOnFleet = console.screen().name === 'fleet'
  if (isOnFleet && marked.size > 0) return [...marked]
  if (isOnFleet && filter.trim() !== '') return console.rows().map(({ key }) => key)
  const key = console.currentKey()
  return key === null ? [] : [key]
}

/** The rollout under the cursor of their list; the newest where that is gone. */
export function rolloutUnderCursor(console: Console): RolloutEntry | null {
  const entries = console.rollouts.book.entries()
  const { cursorId } = console.parts.store.get().rollouts
  return entries.find(({ id }) => id === cursorId) ?? entries[0] ?? null
}

/** What keys do in the list of rollouts. */
export function rolloutsHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const move = (delta: () => number) => (): void => {
    const entries = console.rollouts.book.entries()
    const at = entries.findIndex(({ id }) => id === rolloutUnderCursor(console)?.id)
    const next = entries[Math.max(0, Math.min(entries.length - 1, at + delta()))]
    if (next !== undefined) store.setRollouts({ cursorId: next.id })
  }
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  return {
    'nav.down': move(() => 1),
    'nav.up': move(() => -1),
    'nav.pageDown': move(half),
    'nav.pageUp': move(() => -half()),
    'nav.top': move(() => -Number.MAX_SAFE_INTEGER),
    'nav.bottom': move(() => Number.MAX_SAFE_INTEGER),
    'nav.enter': () => {
      const entry = rolloutUnderCursor(console)
      if (entry !== null) console.rollouts.show(entry.id)
    },
    'nav.back': () => store.back(),
  }
}

/** What keys do while a rollout is looked at. */
export function rolloutHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const id = (): string => {
    const screen = console.screen()
    return screen.name === 'rollout' ? screen.id : ''
  }
  const move = (delta: () => number) => (): void => {
    const { focus, cursor, scroll } = store.get().rollouts
    if (focus === 'nodes') store.setRollouts({ cursor: moved(cursor, delta()) })
    else store.setRollouts({ scroll: Math.max(0, Math.min(MOST_SCROLL_LINES, scroll + delta())) })
  }
  const moved = (cursor: Cursor, delta: number): Cursor => moveCursor(cursor, console.rollouts.rows(id()), delta)
  const half = (): number => Math.max(1, Math.floor(pageRows() / 4))
  const acts = Object.fromEntries(ACTS.map((act) => [`rollout.${act}`, () => decide(console, id(), act)]))
  return {
    ...acts,
    'nav.down': move(() => 1),
    'nav.up': move(() => -1),
    'nav.pageDown': move(half),
    'nav.pageUp': move(() => -half()),
    'nav.top': move(() => -MOST_SCROLL_LINES),
    'nav.bottom': move(() => MOST_SCROLL_LINES),
    'nav.enter': () => {
      const key = console.rollouts.cursorKey(id())
      if (key !== null) store.open({ name: 'node', key })
    },
    'nav.back': () => {
      if (store.get().rollouts.filter !== '') store.setRollouts({ filter: '' })
      else store.back()
    },
    'rollout.focus': () => {
      const at = ROLLOUT_LISTS.indexOf(store.get().rollouts.focus)
      store.setRollouts({ focus: ROLLOUT_LISTS[(at + 1) % ROLLOUT_LISTS.length] ?? 'nodes', scroll: 0 })
    },
  }
}

/** No list of a rollout has more lines, each wrapped into four at most. */
const MOST_SCROLL_LINES = 8000

function decide(console: Console, id: string, act: Act): void {
  const entry = console.rollouts.book.entry(id)
  const why = console.rollouts.facts(id)?.possible[act] ?? null
  if (entry === null) console.toast('its journal is not read yet')
  else if (why !== null) console.toast(`no ${act}: ${why}`)
  else void console.rollouts.visit.act(act, entry)
}
