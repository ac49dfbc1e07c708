import { Duplex } from 'node:stream'
import {
  decodeTunnelMessage,
  encodeTunnelMessage,
  reasonPayload,
  TUNNEL_KEEPALIVE_MS,
  TUNNEL_SILENCE_MS,
  TUNNEL_WINDOW_BYTES,
  type TunnelMessage,
} from '../protocol/tunnel.ts'
import { TunnelFlow } from './flow.ts'

/** What a tunnel is made of. */
export interface TunnelOptions {
  /** Hand a message to the bus. May throw, which ends the tunnel. */
  readonly publish: (message: Uint8Array) => void
  /** Bytes that the other side takes ahead of its reader. */
  readonly peerWindowBytes: number
  /** Bytes that this side takes ahead of its reader. */
  readonly windowBytes?: number
  readonly keepaliveMs?: number
  readonly silenceMs?: number
  /** Monotonic clock, ms. */
  readonly nowMs?: () => number
}

/** What is smaller than this is not kept by itself. */
const CRUMB_BYTES = 4096

type Done = (error?: Error | null) => void

/**
 * One end of a tunnel as a stream of bytes. A reader that does not read holds at most a window here and stops the
 * writer at the other end, whose own bytes then wait in whatever writes to it. When a message is lost or the other
 * side is silent the stream is destroyed with the reason; nothing is ever sent again.
 */
export class Tunnel extends Duplex {
  readonly #publish: (message: Uint8Array) => void
  readonly #flow: TunnelFlow
  readonly #silenceMs: number
  readonly #keepaliveMs: number
  readonly #nowMs: () => number
  readonly #incoming: Uint8Array[] = []
  #peerEnded = false
  #wanted = false
  /** What waits for room, and whom to tell when all of it was sent. */
  #outgoing: { readonly bytes: Buffer; offset: number; readonly done: Done } | null = null
  #peerGone = false
  #ackTimer: NodeJS.Immediate | null = null
  #watch: NodeJS.Timeout
  #saidMs: number
  #heardMs: number

  constructor(options: TunnelOptions) {
    super({ readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 })
    const { windowBytes = TUNNEL_WINDOW_BYTES, keepaliveMs = TUNNEL_KEEPALIVE_MS } = options
    this.#publish = options.publish
    this.#flow = new TunnelFlow({ peerWindowBytes: options.peerWindowBytes, windowBytes })
    this.#keepaliveMs = keepaliveMs
    this.#silenceMs = options.silenceMs ?? TUNNEL_SILENCE_MS
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.#saidMs = this.#nowMs()
    this.#heardMs = this.#saidMs
    this.#watch = setInterval(() => this.#look(), Math.max(10, keepaliveMs / 2))
  }

  /** Bytes that the other end's reader has not taken. */
  get underWayBytes(): number {
    return this.#flow.underWayBytes
  }

  /** A message came for this end. */
  hear(bytes: Uint8Array): void {
    if (this.destroyed) return
    const message = decodeTunnelMessage(bytes)
    if (message === null) return void this.destroy(new Error('a message came that is of no tunnel'))
    this.#heardMs = this.#nowMs()
    const taken = this.#flow.take(message)
    switch (taken.kind) {
      case 'bytes':
        this.#keep(taken.bytes)
        break
      case 'ended':
        this.#peerEnded = true
        break
      case 'closed':
        this.#peerGone = true
        this.destroy(taken.reason === '' ? undefined : new Error(`closed by the other end: ${taken.reason}`))
        return
      case 'broken':
        this.destroy(new Error(`the tunnel broke: ${taken.reason}`))
        return
      case 'acknowledged':
        break
    }
    this.#deliver()
    this.#send()
  }

  override _read(): void {
    this.#wanted = true
    this.#deliver()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#outgoing = { bytes: chunk, offset: 0, done }
    this.#send()
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
    this.#outgoing = { bytes: Buffer.concat(chunks.map(({ chunk }) => chunk)), offset: 0, done }
    this.#send()
  }

  override _final(done: Done): void {
    this.#say(this.#flow.say('end'))
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    clearInterval(this.#watch)
    if (this.#ackTimer !== null) clearImmediate(this.#ackTimer)
    const outgoing = this.#outgoing
    this.#outgoing = null
    this.#incoming.length = 0
    if (!this.#peerGone) {
      try {
        this.#publish(encodeTunnelMessage(this.#flow.say('close', reasonPayload(error?.message ?? ''))))
      } catch {
        // The bus is gone; the other side finds out by silence.
      }
    }
    outgoing?.done(error ?? new Error('the tunnel is closed'))
    done(error)
  }

  /** Crumbs are put together, so that what waits costs what its bytes cost. */
  #keep(bytes: Uint8Array): void {
    const last = this.#incoming.at(-1)
    if (last === undefined || last.length + bytes.length > CRUMB_BYTES) this.#incoming.push(bytes)
    else this.#incoming[this.#incoming.length - 1] = Buffer.concat([last, bytes])
  }

  /** Hand on what came while the reader wants it; only what it took is acknowledged. */
  #deliver(): void {
    while (this.#wanted) {
      const bytes = this.#incoming.shift()
      if (bytes === undefined) break
      if (this.#flow.consumed(bytes.length)) this.#acknowledgeSoon()
      this.#wanted = this.push(bytes)
    }
    if (this.#peerEnded && this.#incoming.length === 0 && this.#wanted) {
      this.#wanted = false
      this.push(null)
    }
  }

  /** After whatever is written in answer, which acknowledges too. */
  #acknowledgeSoon(): void {
    this.#ackTimer ??= setImmediate(() => {
      this.#ackTimer = null
      if (!this.destroyed && this.#flow.consumed(0)) this.#say(this.#flow.say('ack'))
    })
  }

  #send(): void {
    for (;;) {
      const outgoing = this.#outgoing
      if (outgoing === null) return
      const { bytes, offset } = outgoing
      if (offset === bytes.length) {
        this.#outgoing = null
        outgoing.done()
        return
      }
      const room = this.#flow.roomBytes
      if (room === 0) return
      const part = bytes.subarray(offset, offset + room)
      outgoing.offset += part.length
      if (!this.#say(this.#flow.data(part))) return
    }
  }

  #say(message: TunnelMessage): boolean {
    this.#saidMs = this.#nowMs()
    try {
      this.#publish(encodeTunnelMessage(message))
      return true
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
      return false
    }
  }

  #look(): void {
    const now = this.#nowMs()
    if (now - this.#heardMs >= this.#silenceMs) {
      this.destroy(new Error(`the tunnel broke: nothing came for ${Math.round((now - this.#heardMs) / 1000)} s`))
    } else if (now - this.#saidMs >= this.#keepaliveMs) {
      this.#say(this.#flow.say('ack'))
    }
  }
}
