import type { ChannelEnd, RemoteChannel, TerminalSize } from '../remote/contract.ts'
import { EscapeHatch } from './escape-hatch.ts'
import type { Recording } from './recording.ts'

/** The operator's terminal while a session has it: raw keys in, bytes out. */
export interface BorrowedTerminal {
  size(): TerminalSize
  /** False asks to wait for {@link onDrain}. */
  write(data: string | Uint8Array): boolean
  onDrain(listener: () => void): void
  /** Take every key, those that were typed before as well. */
  onInput(listener: (chunk: Buffer) => void): void
  /** Read no keys until {@link resumeInput}. */
  pauseInput(): void
  resumeInput(): void
  onResize(listener: () => void): void
}

/** How a session ended: as its channel did, or the operator left it. */
export type SessionEnd = ChannelEnd | { readonly kind: 'left' }

/** What a session was. */
export interface SessionSummary {
  readonly end: SessionEnd
  readonly outBytes: number
  readonly inBytes: number
}

/** What is typed ahead of a program that takes nothing, at most, bytes. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024
/** Programs see two sizes as two when so much is between them, ms. */
const NUDGE_MS = 100
/** A channel that was closed has so long to say so, ms. */
const CLOSE_MS = 2000
const HELP =
  '\r\n~.  leave this session\r\n~?  this text\r\n~~  type one ~\r\n(each at the beginning of a line, so press enter before)\r\n'

/**
 * Let a program on another machine have the operator's terminal until it ends, breaks off, or the operator leaves with
 * `~.`. What comes is not read faster than terminal and recording take it. Never rejects.
 */
export async function runSession(
  channel: RemoteChannel,
  terminal: BorrowedTerminal,
  { recording, signal }: { readonly recording: Recording | null; readonly signal: AbortSignal },
): Promise<SessionSummary> {
  const hatch = new EscapeHatch()
  const { promise: hasLeft, resolve: leave } = Promise.withResolvers<SessionEnd>()
  let [outBytes, inBytes] = [0, 0]
  let isOver = false
  let isTerminalFull = false
  let isPaused = false
  const settleFlow = (): void => {
    const shouldPause = !isOver && (isTerminalFull || recording?.isBehind === true)
    if (shouldPause === isPaused) return
    isPaused = shouldPause
    if (shouldPause) channel.pause()
    else channel.resume()
  }
  terminal.onDrain(() => {
    isTerminalFull = false
    settleFlow()
  })
  recording?.onCaughtUp(settleFlow)
  const waiting: Buffer[] = []
  let waitingBytes = 0
  let isFull = false
  const type = (keys: Buffer): void => {
    if (isFull) {
      waiting.push(keys)
      waitingBytes += keys.length
      if (waitingBytes > MOST_WAITING_BYTES) terminal.pauseInput()
      return
    }
    isFull = !channel.write(keys)
  }
  channel.onDrain(() => {
    isFull = false
    while (!isFull && waiting.length > 0) {
      const keys = waiting.shift()
      if (keys === undefined) break
      waitingBytes -= keys.length
      isFull = !channel.write(keys)
    }
    if (waitingBytes <= MOST_WAITING_BYTES) terminal.resumeInput()
  })
  channel.onOutput((chunk) => {
    // The terminal is somebody else's by then.
    if (isOver) return
    outBytes += chunk.length
    if (!terminal.write(chunk)) isTerminalFull = true
    recording?.output(chunk)
    settleFlow()
  })
  let known = terminal.size()
  terminal.onResize(() => {
    const size = terminal.size()
    const isKnown = size.columns === known.columns && size.rows === known.rows
    known = size
    if (isKnown) {
      drawAnew(channel, terminal)
      return
    }
    channel.resize(size)
    recording?.resize(size)
  })
  terminal.onInput((chunk) => {
    const { send, wish } = hatch.feed(chunk)
    if (send.length > 0) {
      inBytes += send.length
      recording?.input(send)
      type(send)
    }
    if (wish === 'help') terminal.write(HELP)
    if (wish === 'leave') leave({ kind: 'left' })
  })
  const abort = (): void => leave({ kind: 'left' })
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  const end = await Promise.race([channel.ended, hasLeft])
  isOver = true
  signal.removeEventListener('abort', abort)
  if (end.kind === 'left') {
    channel.close()
    await Promise.race([channel.ended, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())])
  }
  return { end, outBytes, inBytes }
}

/**
 * Let a program draw its screen again: what was on the terminal is gone, its size is the same, and a size that does not
 * change is told to no program.
 */
function drawAnew(channel: RemoteChannel, terminal: BorrowedTerminal): void {
  const { columns, rows } = terminal.size()
  channel.resize({ columns, rows: rows > 1 ? rows - 1 : rows + 1 })
  setTimeout(() => channel.resize(terminal.size()), NUDGE_MS)
}
