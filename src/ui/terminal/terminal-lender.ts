import { randomInt } from 'node:crypto'
import type { TerminalSize } from '../../remote/contract.ts'
import type { BorrowedTerminal } from '../../shell/session.ts'
import type { InputRouter } from './input-router.ts'
import type { TerminalSession } from './session.ts'

/** So many places are asked for: nobody guesses them all, and so nobody answers before the terminal does. */
const PLACES = 4
const MOST_HEARD = 8192
/** How long the answer is waited for, ms: over slow links it is on its way for some hundred. */
const ANSWER_MS = 600

/** The terminal's output as it is lent; `process.stdout` is one. */
export interface LentOutput {
  readonly columns?: number
  readonly rows?: number
  write(data: string | Uint8Array): boolean
  on(event: 'resize' | 'drain', listener: () => void): unknown
  off(event: 'resize' | 'drain', listener: () => void): unknown
}

/** What a lender lends. */
export interface TerminalLenderOptions {
  readonly session: TerminalSession
  readonly router: InputRouter
  readonly output: LentOutput
  /** Whoever paints lets go of the screen, and takes it again. */
  readonly painter: { stop(): void; start(): void } | null
  /** How long the terminal's last answers are waited for, ms. */
  readonly answerMs?: number
}

/**
 * Lends the whole terminal to a program that writes what it likes. What it left on is switched off afterwards, and what the
 * terminal still answers to it, or was typed for it, reaches nobody: a question of our own is asked, and all that comes
 * before its answer belongs to the borrower.
 */
export class TerminalLender {
  readonly #options: TerminalLenderOptions

  constructor(options: TerminalLenderOptions) {
    this.#options = options
  }

  /**
   * Lend it until the work is done. `typedAhead` is what was typed for the borrower before.
   * @throws Error when it is lent already, or as the work does
   */
  async lend<T>(work: (terminal: BorrowedTerminal) => Promise<T>, typedAhead = ''): Promise<T> {
    const { session, router, output, painter } = this.#options
    const listeners: { drain: () => void; resize: () => void } = { drain: () => undefined, resize: () => undefined }
    let input: ((chunk: Buffer) => void) | null = null
    const early: Buffer[] = typedAhead === '' ? [] : [Buffer.from(typedAhead)]
    const hear = (chunk: Buffer): void => {
      if (input === null) early.push(chunk)
      else input(chunk)
    }
    const resized = (): void => listeners.resize()
    const drained = (): void => listeners.drain()
    const terminal: BorrowedTerminal = {
      size: () => ({ columns: output.columns || 80, rows: output.rows || 24 }),
      write: (data) => output.write(data),
      onDrain: (listener) => {
        listeners.drain = listener
      },
      onResize: (listener) => {
        listeners.resize = listener
      },
      onInput: (listener) => {
        input = listener
        for (const chunk of early.splice(0)) listener(chunk)
      },
      pauseInput: () => router.pause(),
      resumeInput: () => router.resume(),
    }
    return router.lend(hear, async () => {
      painter?.stop()
      session.lend(resized)
      output.on('resize', resized)
      output.on('drain', drained)
      try {
        return await work(terminal)
      } finally {
        output.off('resize', resized)
        output.off('drain', drained)
        router.resume()
        // A signal may have given the terminal back already: then it is not ours to ask or to take.
        if (session.isLent) {
          session.reset()
          await this.#settle((listener) => {
            input = listener
          })
        }
        if (painter !== null && session.isLent) {
          session.enter()
          painter.start()
        }
      }
    })
  }

  /** Swallow what comes until the terminal has answered all that it was asked. */
  #settle(take: (listener: (chunk: Buffer) => void) => void): Promise<void> {
    const { output, answerMs = ANSWER_MS } = this.#options
    const { question, answer } = whereAreYou({ columns: output.columns || 80, rows: output.rows || 24 })
    return new Promise((resolve) => {
      let heard = ''
      const timer = setTimeout(resolve, answerMs)
      take((chunk) => {
        heard = (heard + chunk.toString('latin1')).slice(-MOST_HEARD)
        if (!heard.includes(answer)) return
        clearTimeout(timer)
        resolve()
      })
      output.write(question)
    })
  }
}

/**
 * Asks a terminal where its cursor is at places that nobody knows before, and leaves it where it was. The answer comes behind
 * everything that the terminal was asked before. A plain "are you well" will not do: a borrower that asked it last itself
 * would have its answer taken for ours, and its further ones for keys.
 */
function whereAreYou({ columns, rows }: TerminalSize): { readonly question: string; readonly answer: string } {
  const places = Array.from({ length: PLACES }, () => `${randomInt(rows) + 1};${randomInt(columns) + 1}`)
  const question = places.map((place) => `\x1b[${place}H\x1b[6n`).join('')
  return { question: `\x1b7${question}\x1b8`, answer: places.map((place) => `\x1b[${place}R`).join('') }
}
