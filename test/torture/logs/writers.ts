import { appendFileSync, copyFileSync, existsSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { numberedLine } from './numbered.ts'

/** How a log is turned over. */
export type Turn = 'rename' | 'copytruncate' | 'replace' | 'recreate'

/** What a writer needs to know. */
export interface WriterOptions {
  readonly app: string
  readonly path: string
  /** Ways of turning over, in turn. */
  readonly turns: readonly Turn[]
  readonly random: () => number
  /** How lines are written, e.g. in a container's envelope. */
  readonly envelope?: (line: string, random: () => number) => string
}

/** Rotated files that are there at most, unless their lines are not kept yet. */
const ROTATED = 3

/**
 * Writes numbered lines into a log and turns it over. It removes lines only when it is told that they are kept, so that every
 * line can be asked for in the end.
 */
export class LogWriter {
  readonly #options: WriterOptions
  /** Last line of each rotated file, newest first. */
  #rotated: number[] = []
  #number = 0
  #turns = 0
  /** The last line that is kept, as far as is known. */
  kept = 0

  constructor(options: WriterOptions) {
    this.#options = options
    appendFileSync(options.path, '')
  }

  get app(): string {
    return this.#options.app
  }

  /** Lines that were written. */
  get count(): number {
    return this.#number
  }

  /** Times that it was turned over. */
  get turned(): number {
    return this.#turns
  }

  /** Write some lines at once. */
  write(lines: number): void {
    const { app, path, random, envelope = (line: string) => `${line}\n` } = this.#options
    let text = ''
    for (let n = 0; n < lines; n += 1) {
      this.#number += 1
      const length = random() < 0.0005 ? 90_000 : Math.floor(random() * 200)
      text += envelope(numberedLine({ app, number: this.#number }, 'x'.repeat(length)), random)
    }
    appendFileSync(path, text)
  }

  /** Turn it over, if that loses nothing now. */
  turn(): void {
    const { path, turns } = this.#options
    const turn = turns[this.#turns % turns.length] as Turn
    const isAllKept = this.kept >= this.#number
    if ((turn === 'replace' || turn === 'recreate') && !isAllKept) return
    this.#turns += 1
    if (turn === 'replace') {
      writeFileSync(`${path}~new`, '')
      renameSync(`${path}~new`, path)
    } else if (turn === 'recreate') {
      rmSync(path)
      writeFileSync(path, '')
    } else {
      this.#makeRoom()
      if (turn === 'rename') renameSync(path, `${path}.1`)
      else copyFileSync(path, `${path}.1`)
      if (turn === 'rename') writeFileSync(path, '')
      else truncateSync(path)
      this.#rotated.unshift(this.#number)
    }
  }

  /** Move rotated files on by one, and remove the oldest that are kept. */
  #makeRoom(): void {
    const { path } = this.#options
    while (this.#rotated.length >= ROTATED && (this.#rotated.at(-1) ?? 0) <= this.kept) {
      rmSync(`${path}.${this.#rotated.length}`, { force: true })
      this.#rotated.pop()
    }
    for (let n = this.#rotated.length; n >= 1; n -= 1) {
      if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`)
    }
  }
}
