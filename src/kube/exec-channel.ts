import type { WebSocket } from 'ws'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { ChannelEnd, OutputName, RemoteChannel, TerminalSize } from '../remote/contract.ts'
import { type ExecOutcome, readExecStatus } from './exec-status.ts'

/** Subprotocols that are spoken, the better one first. Only the first can say that the input is at its end. */
export const EXEC_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

/** Times of a channel, ms. */
export interface ExecTimes {
  /** How often the other end is asked for a sign of life. */
  readonly pingEveryMs: number
  /** A connection that is silent for so long is given up. */
  readonly silenceMs: number
}

export const EXEC_TIMES: ExecTimes = { pingEveryMs: 10_000, silenceMs: 45_000 }

/** The first byte of every message. */
const CHANNEL = { input: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const

/** What may wait to be sent before a writer is asked to wait. */
const HIGH_WATER_BYTES = 256 * 1024
/** Older servers read messages whole. */
const MESSAGE_BYTES = 32 * 1024
/** After the status there is nothing more to come. */
const CLOSE_TIMEOUT_MS = 2000

/** Something that came and is not handed over yet. */
interface Arrived {
  readonly output: OutputName
  readonly chunk: Buffer
}

/**
 * A command in a container, over the WebSocket of `pods/exec` (subprotocol `v5.channel.k8s.io`, Kubernetes 1.30 and later,
 * or v4). The socket is open.
 */
export class ExecChannel implements RemoteChannel {
  readonly ended: Promise<ChannelEnd>
  readonly #socket: WebSocket
  readonly #times: ExecTimes
  readonly #waiting: Arrived[] = []
  readonly #first: Promise<void>
  readonly #onFirst: () => void
  #listener: ((chunk: Buffer, output: OutputName) => void) | null = null
  #drain: (() => void) | null = null
  #isPaused = false
  #isInputOpen = true
  #wantsDrain = false
  #outcome: ExecOutcome | null = null
  /** Why the socket closed; null while it is open. */
  #closed: string | null = null
  #heardAt = performance.now()
  readonly #settle: (end: ChannelEnd) => void
  readonly #pulse: NodeJS.Timeout

  constructor(socket: WebSocket, times: ExecTimes = EXEC_TIMES) {
    this.#socket = socket
    this.#times = times
    const ended = Promise.withResolvers<ChannelEnd>()
    this.ended = ended.promise
    this.#settle = ended.resolve
    const first = Promise.withResolvers<void>()
    this.#first = first.promise
    this.#onFirst = first.resolve
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data) => this.#take(data as Buffer))
    socket.on('pong', () => this.#hear())
    socket.on('error', (error) => {
      this.#closed ??= error.message
    })
    socket.once('close', (code, reason) => {
      this.#closed ??= reason.length > 0 ? reason.toString('utf8') : `the connection broke off (${code})`
      this.#deliver()
    })
    this.#pulse = setInterval(() => this.#beat(), times.pingEveryMs)
    this.#pulse.unref()
  }

  /** Whether the other end can be told that the input is at its end. */
  get canEndInput(): boolean {
    return this.#socket.protocol === EXEC_PROTOCOLS[0]
  }

  /** How the command ended, once it did; null before and when the connection was lost first. */
  get outcome(): ExecOutcome | null {
    return this.#outcome
  }

  /** Resolves when the command wrote something or came to its end, and after `timeoutMs` at the latest. */
  async firstSign(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([this.#first, late])
    clearTimeout(timer)
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#isInputOpen || this.#closed !== null) return true
    for (let from = 0; from < chunk.length; from += MESSAGE_BYTES) {
      this.#send(CHANNEL.input, chunk.subarray(from, from + MESSAGE_BYTES))
    }
    this.#wantsDrain = this.#socket.bufferedAmount >= HIGH_WATER_BYTES
    return !this.#wantsDrain
  }

  onDrain(listener: () => void): void {
    this.#drain = listener
  }

  endInput(): void {
    if (!this.#isInputOpen) return
    this.#isInputOpen = false
    if (this.canEndInput) this.#send(CHANNEL.close, Uint8Array.of(CHANNEL.input))
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#send(CHANNEL.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows })))
  }

  onOutput(listener: (chunk: Buffer, output: OutputName) => void): void {
    this.#listener = listener
    this.#flow()
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#flow()
  }

  close(): void {
    this.#closed ??= 'it was closed here'
    this.#waiting.length = 0
    this.#socket.resume()
    this.#socket.close()
    this.#expectEnd()
    this.#deliver()
  }

  #send(channel: number, bytes: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const message = Buffer.allocUnsafe(bytes.length + 1)
    message[0] = channel
    message.set(bytes, 1)
    this.#socket.send(message, { binary: true }, () => this.#sent())
  }

  #sent(): void {
    if (!this.#wantsDrain || this.#socket.bufferedAmount > HIGH_WATER_BYTES / 2) return
    this.#wantsDrain = false
    this.#drain?.()
  }

  #take(message: Buffer): void {
    this.#hear()
    const [channel] = message
    const chunk = message.subarray(1)
    if (channel === CHANNEL.status) {
      this.#outcome = readExecStatus(chunk)
      this.#expectEnd()
    } else if ((channel === CHANNEL.stdout || channel === CHANNEL.stderr) && chunk.length > 0) {
      this.#waiting.push({ chunk, output: channel === CHANNEL.stdout ? 'stdout' : 'stderr' })
    } else return
    this.#onFirst()
    // Nothing more is read before somebody listens; what is in the socket's hands still comes.
    if (this.#listener === null && this.#outcome === null) this.#socket.pause()
    this.#deliver()
  }

  #flow(): void {
    this.#deliver()
    if (this.#isPaused) return
    this.#hear()
    this.#socket.resume()
  }

  /** Hand over what waits, and tell the end when all of it was. */
  #deliver(): void {
    while (!this.#isPaused && this.#listener !== null) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#listener(next.chunk, next.output)
    }
    if (this.#waiting.length > 0 || this.#closed === null) return
    clearInterval(this.#pulse)
    this.#onFirst()
    this.#settle(this.#end(this.#closed))
  }

  #end(closed: string): ChannelEnd {
    const outcome = this.#outcome
    if (outcome === null) return { kind: 'dropped', reason: untrusted(closed).slice(0, 200) }
    if (outcome.is === 'exited') return { kind: 'exited', code: outcome.code, signal: null }
    return { kind: 'dropped', reason: outcome.message }
  }

  /** A server that does not close, or a link that swallows it, must not keep the end back. */
  #expectEnd(): void {
    setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS).unref()
  }

  #hear(): void {
    this.#heardAt = performance.now()
  }

  #beat(): void {
    // Where nothing is read, no answer to a ping is either.
    if (this.#isPaused || this.#listener === null) this.#hear()
    else if (performance.now() - this.#heardAt > this.#times.silenceMs) {
      this.#closed ??= `nothing came for ${Math.round(this.#times.silenceMs / 1000)} s`
      this.#socket.terminate()
    } else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }
}
