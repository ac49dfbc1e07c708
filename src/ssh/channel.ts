import { constants } from 'node:os'
import type { ClientChannel } from 'ssh2'
import type { ChannelEnd, OutputName, RemoteChannel, TerminalSize } from '../remote/contract.ts'
import { reasonOf } from './connection-error.ts'

/** A server that does not confirm the end of a channel is waited for so long. */
const CLOSE_TIMEOUT_MS = 500

/** What ssh2 sends a signal with (RFC 4254, section 6.9). */
interface SignalledChannel {
  readonly outgoing: { readonly id: number; readonly state: string }
  readonly _client: { readonly _protocol: { signal(channel: number, name: string): void } }
}

/** A program at the other end of an SSH channel. */
export class SshChannel implements RemoteChannel {
  readonly ended: Promise<ChannelEnd>
  readonly #channel: ClientChannel
  readonly #lostBecause: () => string | null
  #exit: ChannelEnd | null = null
  #isClosedHere = false
  #isPaused = false
  #settle: (end: ChannelEnd) => void = () => undefined
  #timer: NodeJS.Timeout | null = null

  /** @param lostBecause why the connection is gone; null while it is there */
  constructor(channel: ClientChannel, lostBecause: () => string | null) {
    this.#channel = channel
    this.#lostBecause = lostBecause
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    channel.on('error', (error: Error) => this.#end({ kind: 'dropped', reason: reasonOf(error) }))
    channel.stderr.on('error', () => undefined)
    channel.on('exit', (code: number | null, signal?: string) => {
      this.#exit = { kind: 'exited', code: code ?? codeOfSignal(signal), signal: signal ?? null }
    })
    let open = 2
    const onClosed = (): void => {
      if (--open === 0) this.#end(this.#verdict())
    }
    channel.once('close', onClosed)
    channel.stderr.once('close', onClosed)
  }

  write(chunk: Uint8Array): boolean {
    return this.#channel.writable && this.#channel.write(chunk)
  }

  onDrain(listener: () => void): void {
    this.#channel.on('drain', listener)
  }

  endInput(): void {
    if (this.#channel.writable) this.#channel.end()
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#channel.setWindow(rows, columns, 0, 0)
  }

  onOutput(listener: (chunk: Buffer, output: OutputName) => void): void {
    this.#channel.on('data', (chunk: Buffer) => listener(chunk, 'stdout'))
    this.#channel.stderr.on('data', (chunk: Buffer) => listener(chunk, 'stderr'))
    if (this.#isPaused) this.pause()
  }

  pause(): void {
    this.#isPaused = true
    this.#channel.pause()
    this.#channel.stderr.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#channel.resume()
    this.#channel.stderr.resume()
  }

  signal(name: 'INT' | 'TERM'): void {
    const { outgoing, _client } = this.#channel as unknown as SignalledChannel
    // ssh2's own method sends none once our input is at its end, which is where that of a command mostly is.
    if (outgoing.state === 'open' || outgoing.state === 'eof') _client._protocol.signal(outgoing.id, name)
  }

  close(): void {
    if (this.#isClosedHere) return
    this.#isClosedHere = true
    this.#timer = setTimeout(() => this.#end(this.#verdict()), CLOSE_TIMEOUT_MS)
    hangUp(this.#channel)
    this.#channel.close()
    // What is still to come is let through, so that the end of it is seen.
    this.resume()
  }

  #verdict(): ChannelEnd {
    if (this.#exit !== null) return this.#exit
    const lost = this.#lostBecause()
    const reason = this.#isClosedHere ? 'it was broken off here' : (lost ?? 'the server ended it without saying how')
    return { kind: 'dropped', reason }
  }

  #end(end: ChannelEnd): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#settle(end)
  }
}

/**
 * Tell the program what a terminal that is gone would tell it, so that none goes on for nobody. The library itself sends no
 * signal once the input was ended, which it is for most commands.
 */
function hangUp(channel: ClientChannel): void {
  const { outgoing, _client } = channel as unknown as {
    readonly outgoing: { readonly id: number; readonly state: string }
    readonly _client: { readonly _protocol: { signal(id: number, name: string): void } }
  }
  if (outgoing.state === 'open' || outgoing.state === 'eof') _client._protocol.signal(outgoing.id, 'HUP')
}

/** As shells say it: 128 and the signal's number. */
function codeOfSignal(signal: string | undefined): number {
  return 128 + ((constants.signals as Readonly<Record<string, number>>)[signal ?? ''] ?? 0)
}
