import { safe } from '../fleet/clean.ts'
import { formatBytes } from '../ui/format.ts'
import { timeText } from './logs-text.ts'
import type { CommandIo } from './output.ts'

const EVERY_MS = 250

/** Says on a terminal how far a long search has got, in one line that goes away again. */
export class SearchProgress {
  readonly #io: CommandIo
  readonly #bytes = new Map<string, number>()
  readonly #isSeen: boolean
  #saidMs = 0
  #isShown = false

  constructor(io: CommandIo) {
    this.#io = io
    this.#isSeen = (io.stderr as Partial<NodeJS.WriteStream>).isTTY === true
  }

  /** A node has looked so far. */
  say(key: string, { atMs, lookedAtBytes }: { readonly atMs: number; readonly lookedAtBytes: number }): void {
    this.#bytes.set(key, lookedAtBytes)
    const nowMs = performance.now()
    if (!this.#isSeen || nowMs - this.#saidMs < EVERY_MS) return
    this.#saidMs = nowMs
    this.#isShown = true
    const all = [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0)
    const text = `looking: ${safe(key)} is at ${timeText(atMs, 'utc').slice(0, 19)}Z, ${formatBytes(all)} looked at`
    this.#io.stderr.write(`\r${text}\u001b[K`)
  }

  /** Take the line away, before anything else is written. */
  clear(): void {
    if (this.#isShown) this.#io.stderr.write('\r\u001b[K')
    this.#isShown = false
  }
}
