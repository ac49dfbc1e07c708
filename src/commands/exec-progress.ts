import { untrusted } from '../../protocol/untrusted-text.ts'
import { truncate } from '../ui/terminal/text.ts'

const CLEAR_LINE = '\r\x1b[K'
const EVERY_MS = 250

/** A terminal that a line can be shown on and taken away from. */
export interface ProgressTerminal {
  readonly columns?: number
  write(text: string): unknown
}

/** What a run is at, on the last line of a terminal: gone before anything else is written. */
export class ExecProgress {
  readonly #terminal: ProgressTerminal | null
  readonly #text: () => string
  #timer: NodeJS.Timeout | null = null
  #isShown = false

  /** @param terminal null where there is none: nothing is shown then */
  constructor(terminal: ProgressTerminal | null, text: () => string) {
    this.#terminal = terminal
    this.#text = text
  }

  start(): void {
    if (this.#terminal !== null) this.#timer = setInterval(() => this.#show(), EVERY_MS)
  }

  /** Take the line away; it comes back by itself. */
  clear(): void {
    if (!this.#isShown) return
    this.#terminal?.write(CLEAR_LINE)
    this.#isShown = false
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.clear()
  }

  #show(): void {
    const columns = (this.#terminal?.columns ?? 80) - 1
    this.#terminal?.write(`${CLEAR_LINE}${truncate(untrusted(this.#text()), columns)}`)
    this.#isShown = true
  }
}
