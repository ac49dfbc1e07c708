import { PassThrough } from 'node:stream'
import { EscapeSplitter } from './escape-splitter.ts'

/** The terminal's input as the router needs it; `process.stdin` is one. */
export interface InputTerminal {
  setRawMode?(raw: boolean): unknown
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

/** The stream that Ink takes for its `stdin`. */
export type InkInput = PassThrough & {
  isTTY: boolean
  isRaw: boolean
  setRawMode(raw: boolean): InkInput
  ref(): InkInput
  unref(): InkInput
}

/** How a router is made. */
export interface InputRouterOptions {
  readonly terminal: InputTerminal
  /** How long the rest of an escape sequence may take to come, ms; slow links split sequences. Default 80. */
  readonly escapeDelayMs?: number
}

/**
 * Owns the terminal's input for the life of the process. Ink only ever sees {@link ink}, so that a shell can borrow the
 * keys without Ink going deaf. Escape sequences arrive at Ink whole; mouse and focus reports and the marks of a
 * bracketed paste do not arrive, nor do control characters inside a paste.
 */
export class InputRouter {
  readonly ink: InkInput
  private readonly terminal: InputTerminal
  private readonly splitter: EscapeSplitter
  private borrower: ((chunk: Buffer) => void) | null = null
  private started = false

  constructor(options: InputRouterOptions) {
    this.terminal = options.terminal
    this.ink = inkInput()
    this.splitter = new EscapeSplitter({
      delayMs: options.escapeDelayMs ?? 80,
      deliver: (text) => {
        if (!this.borrower) this.ink.write(text)
      },
    })
  }

  /** Begin to read. */
  start(): void {
    if (this.started) return
    this.started = true
    this.terminal.on('data', this.received)
    this.terminal.resume()
  }

  /** Stop reading, so that the process can end. */
  stop(): void {
    if (!this.started) return
    this.started = false
    this.terminal.off('data', this.received)
    this.terminal.pause()
    this.splitter.clear()
    this.ink.end()
  }

  /**
   * Give raw input to somebody else until the work is done, half a key that waited for its rest included; Ink sees none
   * of it.
   * @throws Error when it is already lent
   */
  async lend<T>(sink: (chunk: Buffer) => void, work: () => Promise<T>): Promise<T> {
    if (this.borrower) throw new Error('the terminal input is already lent')
    const held = this.splitter.release()
    this.borrower = sink
    if (held.length > 0) sink(held)
    try {
      return await work()
    } finally {
      this.borrower = null
    }
  }

  /** Let the terminal keep what is typed until {@link resume}. */
  pause(): void {
    this.terminal.pause()
  }

  resume(): void {
    if (this.started) this.terminal.resume()
  }

  private readonly received = (data: Buffer | string): void => {
    // Whoever read the terminal before may have asked for text.
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    if (this.borrower) this.borrower(chunk)
    else this.splitter.feed(chunk)
  }
}

function inkInput(): InkInput {
  const stream = new PassThrough() as unknown as InkInput
  // The session owns raw mode and the router the life of the stream: what Ink asks for has no effect on the terminal.
  return Object.assign(stream, {
    isTTY: true,
    isRaw: true,
    setRawMode: () => stream,
    ref: () => stream,
    unref: () => stream,
  })
}
