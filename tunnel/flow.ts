import { MAX_TUNNEL_CHUNK_BYTES, type TunnelMessage } from '../protocol/tunnel.ts'

/** What a message means for the stream. */
export type Taken =
  /** Bytes of the stream, in order. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Perhaps more may be sent now. */
  | { readonly kind: 'acknowledged' }
  /** The other side sends nothing more. */
  | { readonly kind: 'ended' }
  /** The other side is gone, and why by its own words. */
  | { readonly kind: 'closed'; readonly reason: string }
  /** The stream is not whole any more. */
  | { readonly kind: 'broken'; readonly reason: string }

const NOTHING = new Uint8Array(0)

/**
 * What one side of a tunnel knows: what it sent and what of it the other side has taken, what it got and what of it its
 * own reader has taken. No I/O and no time. At most a window of bytes is under way each way, so neither side ever
 * holds more than that; anything lost, repeated, out of order or over the window breaks the tunnel.
 */
export class TunnelFlow {
  readonly #peerWindowBytes: number
  readonly #windowBytes: number
  #sentSeq = 0
  #sentBytes = 0
  #peerAcked = 0
  #gotSeq = 0
  #gotBytes = 0
  #consumedBytes = 0
  #toldAcked = 0
  #peerEnded = false

  /**
   * @param peerWindowBytes what the other side takes without having acknowledged
   * @param windowBytes what this side takes
   */
  constructor({ peerWindowBytes, windowBytes }: { readonly peerWindowBytes: number; readonly windowBytes: number }) {
    this.#peerWindowBytes = peerWindowBytes
    this.#windowBytes = windowBytes
  }

  /** Bytes that may be sent in the next data message; 0 while the other side has to take some first. */
  get roomBytes(): number {
    const underWayBytes = this.#sentBytes - this.#peerAcked
    return Math.min(MAX_TUNNEL_CHUNK_BYTES, Math.max(0, this.#peerWindowBytes - underWayBytes))
  }

  /** Bytes that were sent and that the other side's reader has not taken. */
  get underWayBytes(): number {
    return this.#sentBytes - this.#peerAcked
  }

  /** The next data message; `bytes` must fit {@link roomBytes}. */
  data(bytes: Uint8Array): TunnelMessage {
    if (bytes.length === 0 || bytes.length > this.roomBytes) throw new RangeError('more than there is room for')
    this.#sentSeq += 1
    this.#sentBytes += bytes.length
    return this.#message('data', bytes)
  }

  /** A message without bytes of the stream. */
  say(kind: 'ack' | 'end' | 'close', payload: Uint8Array = NOTHING): TunnelMessage {
    return this.#message(kind, payload)
  }

  /** The reader took so many bytes. Returns whether the other side should be told soon. */
  consumed(bytes: number): boolean {
    this.#consumedBytes += bytes
    return (this.#consumedBytes - this.#toldAcked) * 4 >= this.#windowBytes
  }

  /** What a message that came says. */
  take(message: TunnelMessage): Taken {
    const { kind, seq, acked, payload } = message
    if (kind === 'close') return { kind: 'closed', reason: Buffer.from(payload).toString('utf8') }
    if (this.#peerEnded && kind === 'data') return broken('bytes came after the end')
    const expected = this.#gotSeq + (kind === 'data' ? 1 : 0)
    if (seq > expected) return broken(`${seq - expected} messages were lost`)
    if (seq < expected) return broken('a message came twice or out of order')
    if (acked > this.#sentBytes || acked < this.#peerAcked) return broken('it acknowledged what was never sent')
    this.#peerAcked = acked
    if (kind === 'ack') return { kind: 'acknowledged' }
    if (kind === 'end') {
      this.#peerEnded = true
      return { kind: 'ended' }
    }
    this.#gotSeq = seq
    this.#gotBytes += payload.length
    if (this.#gotBytes - this.#consumedBytes > this.#windowBytes) return broken('it sent more than the window')
    return { kind: 'bytes', bytes: payload }
  }

  #message(kind: TunnelMessage['kind'], payload: Uint8Array): TunnelMessage {
    this.#toldAcked = this.#consumedBytes
    return { kind, seq: this.#sentSeq, acked: this.#consumedBytes, payload }
  }
}

function broken(reason: string): Taken {
  return { kind: 'broken', reason }
}
