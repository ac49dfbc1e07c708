import { showKey } from '../actions/keymap.ts'
import type { KeyName } from '../actions/keys.ts'
import { searchPalette } from '../actions/palette.ts'
import { type ActionHandlers, runAction } from '../actions/run.ts'
import { type ActionId, actionOf, missingFor } from '../actions/table.ts'
import { parseFilter } from '../fleet/filter.ts'
import { parseTime } from '../fleet/time-text.ts'
import type { Console } from './console.ts'
import type { Overlay, ScreenName } from './console-store.ts'
import { editText } from './edit-text.ts'
import { acceptExecLine } from './exec/exec-line.ts'
import { demoHandlers } from './handlers/demo.ts'
import { execHandlers, execOpeners } from './handlers/exec.ts'
import { fleetHandlers } from './handlers/fleet.ts'
import { acceptFind, cancelFind, goToTyped, toggleFind, typeFind } from './handlers/log-input.ts'
import { logHandlers } from './handlers/logs.ts'
import { nodeHandlers } from './handlers/node.ts'
import { replayHandlers } from './handlers/replay.ts'
import { pictureHandlers, resultHandlers } from './handlers/results.ts'
import { rolloutHandlers, rolloutOpeners, rolloutsHandlers } from './handlers/rollouts.ts'
import { shellHandlers } from './handlers/shell.ts'
import { helpPage } from './overlays/help-page.ts'
import { noticeShown } from './panes/footer.ts'

/** Takes keys to what they mean: text for an open input line, else an action of the table. */
export class Keys {
  readonly #console: Console
  readonly #screens: Readonly<Record<ScreenName['name'], ActionHandlers>>
  readonly #everywhere: ActionHandlers
  readonly #screenRows: () => number

  constructor(console: Console, screenRows: () => number) {
    this.#console = console
    this.#screenRows = screenRows
    this.#screens = {
      fleet: fleetHandlers(console, screenRows),
      node: nodeHandlers(console),
      logs: logHandlers(console, screenRows),
      exec: execHandlers(console, screenRows),
      results: resultHandlers(console, screenRows),
      picture: pictureHandlers(console),
      rollouts: rolloutsHandlers(console, screenRows),
      rollout: rolloutHandlers(console, screenRows),
    }
    this.#everywhere = {
      ...this.#appHandlers(),
      ...demoHandlers(console),
      ...replayHandlers(console),
      ...execOpeners(console),
      ...shellHandlers(console),
      ...rolloutOpeners(console),
    }
  }

  /** One key was pressed. */
  press(key: KeyName): void {
    const { store, keymap } = this.#console.parts
    const { overlay } = store.get()
    const meaning = keymap.actionFor(key, this.#console.contexts())
    if (overlay?.name === 'shell') {
      // Nobody leaves the console by calling a connection off.
      this.#console.shell.press(key)
    } else if (overlay?.name === 'rollout') {
      this.#console.rollouts.visit.press(key)
    } else if (meaning === 'app.interrupt') {
      this.run(meaning)
    } else if (overlay !== null && 'text' in overlay) {
      this.#type(overlay, key)
    } else if (overlay?.name === 'help') {
      this.#leafHelp(overlay.first, meaning)
    } else if (store.notices(this.#console.nowMs()).length > 0 && meaning === 'nav.back') {
      this.#dismissNotice()
    } else if (meaning !== null) {
      this.run(meaning)
    }
  }

  /** Run an action where the operator is. */
  run(id: ActionId): void {
    const outcome = runAction(id, {
      acting: this.#console.acting(),
      locked: this.#console.parts.store.get().replay !== null,
      handlers: [this.#screens[this.#console.screen().name], this.#everywhere],
      // Nothing in the table is destructive yet; what will be asks through a dialog of its own.
      confirm: (question) => this.#console.toast(question),
    })
    if (outcome === 'locked') this.#console.toast(this.#lockedText(id))
    if (outcome === 'forbidden') {
      this.#console.toast(`${actionOf(id).title} needs ${missingFor(actionOf(id), this.#console.acting())}`)
    }
  }

  #lockedText(id: ActionId): string {
    const live = this.#console.parts.keymap.keysOf('replay.live').map(showKey)[0]
    const cure = live === undefined ? '' : `; ${live} is live again`
    return `${actionOf(id).title} is locked in the past${cure}`
  }

  #appHandlers(): ActionHandlers {
    const { store, quit, redraw } = this.#console.parts
    return {
      'nav.last': () => store.toggleLast(),
      'app.palette': () => store.set({ overlay: { name: 'palette', text: '', row: 0 } }),
      'app.help': () => store.set({ overlay: { name: 'help', first: 0 } }),
      'app.filter': () => store.set({ overlay: { name: 'filter', text: this.#filter(), fault: null } }),
      'app.redraw': redraw,
      'app.quit': () => this.#console.rollouts.leave(quit),
      'app.interrupt': quit,
    }
  }

  /** Keys that move go through help where it is longer than the screen; any other closes it. */
  #leafHelp(first: number, meaning: ActionId | null): void {
    const rows = this.#screenRows()
    const page = helpPage(this.#console, first, rows)
    const steps: Partial<Record<ActionId, number>> = {
      'nav.down': 1,
      'nav.up': -1,
      'nav.pageDown': page.shown.length,
      'nav.pageUp': -page.shown.length,
      'nav.top': -page.count,
      'nav.bottom': page.count,
    }
    const step = meaning === null ? undefined : steps[meaning]
    const scrolls = step !== undefined && page.shown.length < page.count
    const next = helpPage(this.#console, page.first + (step ?? 0), rows).first
    this.#console.parts.store.set({ overlay: scrolls ? { name: 'help', first: next } : null })
  }

  /** The operator has read the notice in the last line; answers to earlier keys are old news with it. */
  #dismissNotice(): void {
    const { store } = this.#console.parts
    const notices = store.notices(this.#console.nowMs())
    const shown = noticeShown(notices)
    store.set({
      notices: notices.filter((notice) => (shown?.untilMs === null ? notice !== shown : notice.untilMs === null)),
    })
  }

  #type(overlay: Extract<Overlay, { text: string }>, key: KeyName): void {
    const { store } = this.#console.parts
    if (key === 'esc') {
      if (overlay.name === 'filter') this.#applyFilter('')
      if (overlay.name === 'find') cancelFind(this.#console, overlay)
      store.set({ overlay: null })
      return
    }
    if (overlay.name === 'find' && key === 'tab') {
      toggleFind(this.#console, overlay)
      return
    }
    if (overlay.name === 'palette' && (key === 'up' || key === 'down' || key === 'tab')) {
      const count = this.paletteMatches().length
      const row = overlay.row + (key === 'up' ? -1 : 1)
      store.set({ overlay: { ...overlay, row: Math.max(0, Math.min(count - 1, row)) } })
      return
    }
    if (key === 'enter') {
      this.#accept(overlay)
      return
    }
    const text = editText(overlay.text, key)
    if (text === null) return
    if (overlay.name === 'palette') store.set({ overlay: { ...overlay, text, row: 0 } })
    else if (overlay.name === 'time' || overlay.name === 'exec')
      store.set({ overlay: { ...overlay, text, fault: null } })
    else if (overlay.name === 'find') typeFind(this.#console, overlay, text)
    else store.set({ overlay: { ...overlay, text, fault: this.#applyFilter(text) } })
  }

  #accept(overlay: Extract<Overlay, { text: string }>): void {
    const { store } = this.#console.parts
    const chosen = overlay.name === 'palette' ? this.paletteMatches()[overlay.row] : null
    if (overlay.name === 'filter' && overlay.fault !== null) return
    if (overlay.name === 'exec') {
      acceptExecLine(this.#console, overlay)
      return
    }
    if (overlay.name === 'time') {
      this.#goTo(overlay)
      return
    }
    if (overlay.name === 'find') {
      acceptFind(this.#console, overlay)
      return
    }
    store.set({ overlay: null })
    if (chosen) this.run(chosen.action)
  }

  #goTo(overlay: Extract<Overlay, { name: 'time' }>): void {
    const { store } = this.#console.parts
    const refuse = (fault: string): void => store.set({ overlay: { ...overlay, fault } })
    if (overlay.text.trim() === '') {
      store.set({ overlay: null })
      return
    }
    // Lines of then are looked at among their neighbours, without taking the whole console back.
    if (this.#console.screen().name === 'logs' && store.get().replay === null) {
      store.set({ overlay: null })
      const fault = goToTyped(this.#console, overlay.text)
      if (fault !== null) refuse(fault)
      return
    }
    const parsed = parseTime(overlay.text, this.#console.nowMs())
    if (!parsed.ok) refuse(parsed.message)
    else if (this.#console.head.goTo(parsed.atMs)) store.set({ overlay: null })
    else refuse('that time is yet to come')
  }

  /** Actions that the palette lists now. */
  paletteMatches(): ReturnType<typeof searchPalette> {
    const { overlay } = this.#console.parts.store.get()
    const typed = overlay?.name === 'palette' ? overlay.text : ''
    return searchPalette(typed, { contexts: this.#console.contexts(), acting: this.#console.acting() })
  }

  /** What rows are filtered by now. */
  #filter(): string {
    const { fleet, rollouts } = this.#console.parts.store.get()
    return this.#console.screen().name === 'rollout' ? rollouts.filter : fleet.filter
  }

  /** Filter as it is typed; answers what is wrong with the text, null when nothing is. */
  #applyFilter(text: string): string | null {
    const { store } = this.#console.parts
    if (this.#console.screen().name === 'rollout') {
      store.setRollouts({ filter: text })
      return null
    }
    const parsed = parseFilter(text)
    if (!parsed.ok) return parsed.message
    store.setFleet({ filter: text })
    return null
  }
}
