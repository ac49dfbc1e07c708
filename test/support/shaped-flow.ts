import type { Socket } from 'node:net'

/** How a link carries in each direction: how long one way takes, and how fast it is over all its connections. */
export interface LinkShape {
  /** One way; a round trip takes twice as long. */
  readonly delayMs: number
  /** Thousands of bits a second of one direction; null for as fast as it goes. */
  readonly kbitPerSec: number | null
}

/** Connections take turns in pieces of this size, about a packet. */
const PIECE_BYTES = 1400
/** Bytes a connection may have under way in the link before it is read no further, as in the buffers of a modem. */
const QUEUE_BYTES = 32 * 1024

interface Piece {
  readonly to: Socket
  readonly bytes: Buffer
  readonly arrivesAtMs: number
  readonly onArrival: () => void
}

/** One direction of a link that a test can slow down; it keeps order and loses nothing. */
export class ShapedFlow {
  /** Bytes that arrived so far. */
  carriedBytes = 0
  #shape: LinkShape = { delayMs: 0, kbitPerSec: null }
  /** When the line is free again, by the monotonic clock. */
  #freeAtMs = 0
  readonly #queued = new Map<Socket, number>()
  readonly #pieces: Piece[] = []
  #timer: NodeJS.Timeout | null = null

  shape(shape: LinkShape): void {
    this.#shape = shape
  }

  /** Carry what came from one socket to another. */
  carry(from: Socket, to: Socket, bytes: Buffer): void {
    const { delayMs, kbitPerSec } = this.#shape
    if (delayMs === 0 && kbitPerSec === null && this.#pieces.length === 0) {
      to.write(bytes)
      this.carriedBytes += bytes.length
      return
    }
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      const lineMs = kbitPerSec === null ? 0 : (piece.length * 8) / kbitPerSec
      this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + lineMs
      this.#hold(from, piece.length)
      this.#pieces.push({
        to,
        bytes: piece,
        arrivesAtMs: this.#freeAtMs + delayMs,
        onArrival: () => this.#hold(from, -piece.length),
      })
    }
    this.#arm()
  }

  /** Lose what is under way. */
  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#freeAtMs = 0
    for (const { onArrival } of this.#pieces.splice(0)) onArrival()
  }

  #hold(from: Socket, change: number): void {
    const queuedBytes = (this.#queued.get(from) ?? 0) + change
    if (queuedBytes > QUEUE_BYTES) from.pause()
    else from.resume()
    if (queuedBytes === 0) this.#queued.delete(from)
    else this.#queued.set(from, queuedBytes)
  }

  #arm(): void {
    const [next] = this.#pieces
    if (this.#timer !== null || next === undefined) return
    this.#timer = setTimeout(() => this.#arrive(), Math.max(0, next.arrivesAtMs - performance.now()))
  }

  #arrive(): void {
    this.#timer = null
    // A timer is a millisecond late or early; what is due within the next is due.
    const nowMs = performance.now() + 1
    while ((this.#pieces[0]?.arrivesAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const piece = this.#pieces.shift()
      if (piece === undefined) break
      if (!piece.to.destroyed) piece.to.write(piece.bytes)
      this.carriedBytes += piece.bytes.length
      piece.onArrival()
    }
    this.#arm()
  }
}
