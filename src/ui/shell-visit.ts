import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { KeyName } from '../actions/keys.ts'
import { textOfKey } from '../actions/keys.ts'
import type { FindPlaces, PlaceUse, Prompter, RemotePlace, TerminalSize } from '../remote/contract.ts'
import { type OpenShell, openShell, type ShellDesk } from '../shell/open-shell.ts'
import type { BorrowedTerminal } from '../shell/session.ts'
import type { ConsoleStore } from './console-store.ts'
import { editText } from './edit-text.ts'
import { placesFor, type ShellFace } from './shell-face.ts'

/** Only a demo has no way to its nodes; short enough for 80 columns. */
export const NO_SSH_IN_DEMO = 'no SSH to demo nodes; for yours, "ssh: user@host" in config.yaml'

const NO_PODS_IN_DEMO = 'demo nodes run no pods; for yours, "kube:" in config.yaml'

/** What shells are opened with. */
export interface ShellParts {
  readonly desk: ShellDesk
  readonly find: FindPlaces
  /** Give the terminal away until the work is done. */
  readonly lend: <T>(work: (terminal: BorrowedTerminal) => Promise<T>, typedAhead: string) => Promise<T>
  readonly size: () => TerminalSize
  /** Name of the terminal, as `TERM` says it. */
  readonly term: string
}

/** Most that is typed ahead of a shell, characters. */
const MOST_AHEAD = 500
/** Lines of what the other side says while it connects. */
const MOST_SAID = 6
const MOST_TEXT_LINES = 12
/** Keys that are typed ahead and are no text. */
const AHEAD: Readonly<Record<KeyName, string>> = { enter: '\r', tab: '\t' }

/**
 * The way from `s` to a shell and back to where the operator was: places, confirmation, questions, the session, its end; and
 * from the same places to the log of a container.
 */
export class ShellVisit {
  readonly #store: ConsoleStore
  readonly #shells: ShellParts | null
  readonly #toast: (text: string) => void
  #visiting: Promise<void> | null = null
  #abort: AbortController | null = null
  /** Takes the answer to what is asked: a text, a place, or null for none. */
  #answer: ((answer: string | RemotePlace | null) => void) | null = null
  #isAllowed: (typed: string) => string | null = () => null
  #typedAhead = ''
  #nodeKey = ''

  constructor(parts: {
    readonly store: ConsoleStore
    readonly shells: ShellParts | null
    readonly toast: (text: string) => void
  }) {
    this.#store = parts.store
    this.#shells = parts.shells
    this.#toast = parts.toast
  }

  /** Open a shell on a node and be back when it has ended. Never rejects. */
  open(nodeKey: string): Promise<void> {
    return this.#begin(nodeKey, 'shell')
  }

  /** Show the log of a container on a node; resolves when it is open. Never rejects. */
  openLog(nodeKey: string): Promise<void> {
    return this.#begin(nodeKey, 'log')
  }

  #begin(nodeKey: string, use: PlaceUse): Promise<void> {
    if (this.#visiting !== null) return this.#visiting
    const shells = this.#shells
    if (shells === null) {
      this.#toast(use === 'shell' ? NO_SSH_IN_DEMO : NO_PODS_IN_DEMO)
      return Promise.resolve()
    }
    this.#abort = new AbortController()
    const { signal } = this.#abort
    this.#typedAhead = ''
    this.#nodeKey = nodeKey
    const visit = use === 'shell' ? this.#visit(shells, nodeKey, signal) : this.#visitLog(shells, nodeKey, signal)
    this.#visiting = visit.finally(() => {
      this.#visiting = null
      this.#close()
    })
    return this.#visiting
  }

  /** End whatever is open; resolves when its end is written down. */
  async stop(): Promise<void> {
    this.#callOff()
    await this.#visiting
  }

  /** A key while the way to a shell lies over the screen. */
  press(key: KeyName): void {
    const { overlay } = this.#store.get()
    if (overlay?.name !== 'shell') return
    const { face } = overlay
    if (key === 'esc' || key === 'ctrl-c') this.#callOff()
    else if (face.phase === 'choosing') this.#choose(face, key)
    else if (face.phase === 'typing') this.#type(face, key)
    else if (face.phase === 'failed') {
      if (key === 'enter') this.#settle('again')
    } else this.#typeAhead(face, key)
  }

  async #visit(shells: ShellParts, nodeKey: string, signal: AbortSignal): Promise<void> {
    const node = untrusted(nodeKey)
    try {
      const place = await this.#place(shells.find, nodeKey, 'shell', signal)
      if (place === null) return
      const why = await this.#confirmed(shells.desk, nodeKey, place)
      if (why === undefined) return
      for (;;) {
        const again = await this.#stay(shells, { nodeKey, node, place, why, signal })
        if (!again || signal.aborted) return
      }
    } catch (error) {
      await this.#failed(node, 'no shell', error)
    }
  }

  async #visitLog({ find }: ShellParts, nodeKey: string, signal: AbortSignal): Promise<void> {
    try {
      const place = await this.#place(find, nodeKey, 'log', signal)
      if (place !== null) this.#showLog(place)
    } catch (error) {
      await this.#failed(untrusted(nodeKey), 'no log', error)
    }
  }

  /** Show the log of a place instead of what is asked. */
  #showLog(place: RemotePlace): void {
    const { log } = place
    if (log === undefined) return
    const key = this.#nodeKey
    this.#callOff()
    this.#store.openLogs(new Set([key]), { key, place, log })
  }

  /** One session; resolves with whether another is wanted. */
  async #stay(
    shells: ShellParts,
    {
      nodeKey,
      node,
      place,
      why,
      signal,
    }: {
      readonly nodeKey: string
      readonly node: string
      readonly place: RemotePlace
      readonly why: string | null
      readonly signal: AbortSignal
    },
  ): Promise<boolean> {
    const said: string[] = []
    const connecting = (): void =>
      this.#show({ phase: 'connecting', node, label: place.label, said, typedAhead: this.#typedAhead })
    connecting()
    let shell: OpenShell
    try {
      const size = shells.size()
      const prompter = this.#prompter(node, said, connecting)
      shell = await openShell(shells.desk, { nodeKey, place, why, term: shells.term, size, prompter, signal })
    } catch (error) {
      return !signal.aborted && this.#failed(node, `no shell on ${place.label}`, error)
    }
    this.#close()
    const typedAhead = this.#typedAhead
    this.#typedAhead = ''
    await shells.lend((terminal) => shell.run(terminal), typedAhead)
    const { end, text, warnings } = await shell.finish()
    for (const warning of warnings) this.#store.notify(`${node}: ${warning}`)
    if (end.kind !== 'dropped' || signal.aborted) {
      this.#toast(text)
      return false
    }
    const answer = await this.#asked({
      phase: 'failed',
      node,
      title: `the shell on ${place.label} broke off`,
      text: [text],
    })
    return answer !== null
  }

  /** The place that the operator wants; the only one at once, unless others could not be found out. Null when there is none, or they want none. */
  async #place(find: FindPlaces, nodeKey: string, use: PlaceUse, signal: AbortSignal): Promise<RemotePlace | null> {
    const node = untrusted(nodeKey)
    for (;;) {
      this.#show({ phase: 'looking', use, node, typedAhead: this.#typedAhead })
      const { places, faults } = await find(nodeKey, use, signal)
      if (signal.aborted) return null
      const [only] = places
      if (only !== undefined && places.length === 1 && faults.length === 0) return only
      if (only !== undefined) {
        const answer = await this.#asked({ phase: 'choosing', use, node, places, faults, text: '', row: 0 })
        return answer === null || typeof answer === 'string' ? null : answer
      }
      const [none, title] =
        use === 'shell'
          ? ['nothing says how it is reached', `no shell on ${node}`]
          : ['no pod that may be seen is on it', `no container on ${node}`]
      const text = faults.length > 0 ? faults : [none]
      const again = await this.#asked({ phase: 'failed', node, title, text: text.slice(0, MOST_TEXT_LINES) })
      if (again === null) return null
    }
  }

  /** In production the node is named and a reason given; undefined when the operator steps back. */
  async #confirmed(desk: ShellDesk, nodeKey: string, place: RemotePlace): Promise<string | null | undefined> {
    if (!desk.production) return null
    const node = untrusted(nodeKey)
    const about = { phase: 'typing', node, typed: '', secret: false, fault: null } as const
    const named = await this.#typed(
      {
        ...about,
        title: `${desk.context} is a production context`,
        text: [`A shell on ${place.label}. Type the name of the node to go on: ${node}`],
      },
      (typed) => (typed === nodeKey ? null : `that is not ${node}`),
    )
    if (named === null) return undefined
    const why = await this.#typed({ ...about, title: 'Why?', text: ['It stands in the audit.'] }, (typed) =>
      typed.trim() === '' ? 'say it in a few words' : null,
    )
    return why === null ? undefined : why.trim()
  }

  #prompter(node: string, said: string[], connecting: () => void): Prompter {
    const tell = (text: string): void => {
      said.push(...linesOf(text))
      said.splice(0, Math.max(0, said.length - MOST_SAID))
    }
    const question = async (text: string, secret: boolean, isAllowed: (typed: string) => string | null) => {
      // What was typed ahead was meant for the shell, and must answer nothing.
      if (this.#typedAhead !== '') tell('what was typed ahead is dropped')
      this.#typedAhead = ''
      const title = `connecting to ${node}`
      const answer = await this.#typed(
        { phase: 'typing', node, title, text: linesOf(text), typed: '', secret, fault: null },
        isAllowed,
      )
      connecting()
      return answer
    }
    return {
      ask: ({ text, secret }) => question(text, secret, () => null),
      confirm: async (text) => {
        const answer = await question(`${text}\nType yes or no.`, false, (typed) =>
          ['yes', 'no'].includes(typed.trim().toLowerCase()) ? null : 'type yes or no',
        )
        return answer?.trim().toLowerCase() === 'yes'
      },
      tell: (text) => {
        tell(text)
        if (this.#answer === null) connecting()
      },
    }
  }

  #failed(node: string, title: string, error: unknown): Promise<boolean> {
    const [message, next] = error instanceof EdgeError ? [error.message, error.next] : [messageOf(error), []]
    const text = [...linesOf(message), ...next.map((cure) => `→ ${untrusted(cure)}`)].slice(0, MOST_TEXT_LINES)
    return this.#asked({ phase: 'failed', node, title, text }).then((answer) => answer !== null)
  }

  async #typed(
    face: Extract<ShellFace, { phase: 'typing' }>,
    isAllowed: (typed: string) => string | null,
  ): Promise<string | null> {
    this.#isAllowed = isAllowed
    const answer = await this.#asked(face)
    return typeof answer === 'string' ? answer : null
  }

  /** Show a question and wait for its answer; null when it is called off. */
  #asked(face: ShellFace): Promise<string | RemotePlace | null> {
    if (this.#abort?.signal.aborted === true) return Promise.resolve(null)
    return new Promise((resolve) => {
      this.#answer = resolve
      this.#show(face)
    })
  }

  #settle(answer: string | RemotePlace | null): void {
    const settle = this.#answer
    this.#answer = null
    settle?.(answer)
  }

  #callOff(): void {
    this.#abort?.abort()
    this.#settle(null)
    this.#close()
  }

  #choose(face: Extract<ShellFace, { phase: 'choosing' }>, key: KeyName): void {
    const shown = placesFor(face.places, face.text)
    const row = Math.max(0, Math.min(face.row, shown.length - 1))
    if (key === 'enter') {
      const place = shown[row]
      if (place !== undefined) this.#settle(place)
    } else if (key === 'tab') {
      const place = shown[row]
      if (place?.log !== undefined) this.#showLog(place)
    } else if (key === 'up' || key === 'down') {
      const next = Math.max(0, Math.min(shown.length - 1, row + (key === 'up' ? -1 : 1)))
      this.#show({ ...face, row: next })
    } else {
      const text = editText(face.text, key)
      if (text !== null) this.#show({ ...face, text, row: 0 })
    }
  }

  #type(face: Extract<ShellFace, { phase: 'typing' }>, key: KeyName): void {
    if (key === 'enter') {
      const fault = this.#isAllowed(face.typed)
      if (fault === null) this.#settle(face.typed)
      else this.#show({ ...face, fault })
      return
    }
    const typed = editText(face.typed, key)
    if (typed !== null) this.#show({ ...face, typed, fault: null })
  }

  #typeAhead(face: Extract<ShellFace, { typedAhead: string }>, key: KeyName): void {
    const text = AHEAD[key] ?? textOfKey(key)
    if (key === 'backspace') this.#typedAhead = [...this.#typedAhead].slice(0, -1).join('')
    else if (text !== null && this.#typedAhead.length < MOST_AHEAD) this.#typedAhead += text
    this.#show({ ...face, typedAhead: this.#typedAhead })
  }

  #show(face: ShellFace): void {
    if (this.#abort?.signal.aborted !== true) this.#store.set({ overlay: { name: 'shell', face } })
  }

  #close(): void {
    if (this.#store.get().overlay?.name === 'shell') this.#store.set({ overlay: null })
  }
}

function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => untrusted(line))
    .filter((line) => line.trim() !== '')
    .slice(0, MOST_TEXT_LINES)
}
