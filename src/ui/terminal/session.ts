import { writeSync } from 'node:fs'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[m\x1b[H\x1b[2J'
// Also switches off what another program may have left on: mouse reports, focus reports, application keys.
const LEAVE =
  '\x1b[?2026l\x1b[m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[?1049l'

// What a program of another machine may have left on when it was cut off in the middle of anything, even of a sequence.
const CUT_SHORT = '\x18\x1b\\'
const WHAT_PROGRAMS_LEAVE = [
  // Keyboards that tell more (kitty, xterm), on both screens: each has a stack of its own.
  '\x1b[<99u\x1b[>4;0m\x1b[?1049l\x1b[?1047l\x1b[?47l\x1b[<99u',
  '\x1b[?2026l\x1b[?2048l\x1b[?2031l\x1b[?9l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?2004l',
  // Application keys, margins, origin, insertion, line feed, reverse screen, charset.
  '\x1b[?1l\x1b>\x1b[?69l\x1b[r\x1b[?6l\x1b[4l\x1b[20l\x1b[?5l\x1b[?7h\x1b(B\x0f\x1b[m',
  // Cursor and its shape, colours of the palette, of text, background and cursor.
  '\x1b[?25h\x1b[0 q\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07',
].join('')
const KEEP_TITLE = '\x1b[22;0t'
const TITLE_AS_KEPT = '\x1b[23;0t'
// Margins are reset with the cursor at the top: a program's last line must not be written over.
const SAVE_CURSOR = '\x1b7'
// It brings back the look of when it was saved as well.
const RESTORE_CURSOR = '\x1b8\x1b[m\x1b(B\x0f'

const RESET = `${CUT_SHORT}${SAVE_CURSOR}${WHAT_PROGRAMS_LEAVE}${RESTORE_CURSOR}`
const BORROWER_LEFT = `${RESET}${TITLE_AS_KEPT}`

/** Signals that end the process; the terminal is given back before anything else happens. */
export type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'
const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** How a session reaches the terminal. */
export interface SessionOptions {
  /** File descriptor of the terminal's output; written synchronously. */
  readonly outputFd: number
  /** Raw mode of the terminal's input. */
  readonly setRawMode: (raw: boolean) => void
  /** Let the terminal write what it is given and nothing else, while it is lent; see {@link writeAsGiven}. */
  readonly setRawOutput?: (raw: boolean) => void
  /** An ending signal came; the terminal is already given back. The owner of the process decides how to end it. */
  readonly onEnd: (signal: EndingSignal) => void
  /** The terminal is ours again after a stop (SIGCONT) and holds what others wrote: paint all. */
  readonly onResume: () => void
  /** The terminal is about to be given away for a stop (SIGTSTP): write nothing until `onResume`. */
  readonly onSuspend: () => void
}

/**
 * Takes the terminal (alternate screen, no cursor, no autowrap, bracketed paste, raw input) and gives it back exactly
 * once, however the process ends: `leave()`, exit, an uncaught exception, SIGINT, SIGTERM, SIGHUP; also around
 * SIGTSTP/SIGCONT. In between it can be lent to a program that writes what it likes; whatever that left on is switched
 * off again. Every method may be called at any time, any number of times.
 */
export class TerminalSession {
  private readonly options: SessionOptions
  private owner: 'nobody' | 'us' | 'borrower' = 'nobody'
  private borrowerResumed: () => void = () => undefined
  private guarded = false
  private stoppedOwner: 'us' | 'borrower' | null = null
  private readonly signalListeners = new Map<EndingSignal, () => void>()

  constructor(options: SessionOptions) {
    this.options = options
    for (const signal of ENDING_SIGNALS) {
      this.signalListeners.set(signal, () => {
        this.leave()
        this.options.onEnd(signal)
      })
    }
  }

  /** Take the terminal and stand guard over it. */
  enter(): void {
    this.guard()
    if (this.owner === 'us') return
    const wasLent = this.owner === 'borrower'
    this.owner = 'us'
    if (wasLent) {
      this.write(BORROWER_LEFT)
      this.options.setRawOutput?.(false)
    } else this.options.setRawMode(true)
    this.write(ENTER)
  }

  /**
   * Lend the terminal: the usual screen as it was before us, keys raw. It is ours again with {@link enter}, or nobody's with
   * {@link leave}. `onResume` is called when it was lent while the process was stopped for a time.
   */
  lend(onResume: () => void): void {
    this.guard()
    if (this.owner === 'borrower') return
    if (this.owner === 'us') this.write(LEAVE)
    else this.options.setRawMode(true)
    this.owner = 'borrower'
    this.borrowerResumed = onResume
    this.options.setRawOutput?.(true)
    this.write(KEEP_TITLE)
  }

  get isLent(): boolean {
    return this.owner === 'borrower'
  }

  /** Switch off what a borrower has left on; it is still lent. */
  reset(): void {
    if (this.owner === 'borrower') this.write(RESET)
  }

  /** Give the terminal back. */
  leave(): void {
    if (this.owner === 'nobody') return
    this.write(this.owner === 'us' ? LEAVE : BORROWER_LEFT)
    this.owner = 'nobody'
    try {
      this.options.setRawMode(false)
    } catch {
      // The terminal is gone: there is nothing to give back.
    }
  }

  /** Give the terminal back and stand down: signals are no longer ours. */
  close(): void {
    this.leave()
    if (!this.guarded) return
    this.guarded = false
    for (const [signal, listener] of this.signalListeners) process.off(signal, listener)
    process.off('exit', this.leaving)
    process.off('uncaughtExceptionMonitor', this.leaving)
    process.off('SIGTSTP', this.stopped)
    process.off('SIGCONT', this.continued)
  }

  private guard(): void {
    if (this.guarded) return
    this.guarded = true
    for (const [signal, listener] of this.signalListeners) process.on(signal, listener)
    process.on('exit', this.leaving)
    // Before Node prints the exception, so that it can be read.
    process.on('uncaughtExceptionMonitor', this.leaving)
    process.on('SIGTSTP', this.stopped)
    process.on('SIGCONT', this.continued)
  }

  private readonly leaving = (): void => this.leave()

  private readonly stopped = (): void => {
    if (this.owner === 'nobody') {
      process.kill(process.pid, 'SIGSTOP')
      return
    }
    this.stoppedOwner = this.owner
    if (this.owner === 'us') this.options.onSuspend()
    this.leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  private readonly continued = (): void => {
    const owner = this.stoppedOwner
    this.stoppedOwner = null
    if (owner === null) return
    if (owner === 'borrower') {
      this.lend(this.borrowerResumed)
      this.borrowerResumed()
      return
    }
    this.enter()
    this.options.onResume()
  }

  private write(sequences: string): void {
    let rest = Buffer.from(sequences)
    // A terminal that takes nothing for this many attempts is gone.
    for (let attempt = 0; attempt < 50 && rest.length > 0; attempt += 1) {
      try {
        rest = rest.subarray(writeSync(this.options.outputFd, rest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
      }
    }
  }
}
