import { writeSync } from 'node:fs'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[m\x1b[H\x1b[2J'
// Also switches off what another program may have left on: mouse reports, focus reports, application keys.
const LEAVE =
  '\x1b[?2026l\x1b[m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[?1049l'

/** Signals that end the process; the terminal is given back before anything else happens. */
export type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'
const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** How a session reaches the terminal. */
export interface SessionOptions {
  /** File descriptor of the terminal's output; written synchronously. */
  readonly outputFd: number
  /** Raw mode of the terminal's input. */
  readonly setRawMode: (raw: boolean) => void
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
 * SIGTSTP/SIGCONT. Every method may be called at any time, any number of times.
 */
export class TerminalSession {
  private readonly options: SessionOptions
  private entered = false
  private guarded = false
  private isStopped = false
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
    if (this.entered) return
    this.entered = true
    this.options.setRawMode(true)
    this.write(ENTER)
  }

  /** Give the terminal back. */
  leave(): void {
    if (!this.entered) return
    this.entered = false
    this.write(LEAVE)
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
    if (!this.entered) {
      process.kill(process.pid, 'SIGSTOP')
      return
    }
    this.isStopped = true
    this.options.onSuspend()
    this.leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  private readonly continued = (): void => {
    if (!this.isStopped) return
    this.isStopped = false
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
