import type { Writable } from 'node:stream'

/** Bytes before each payload: payload length (u32), kind (u8), id (u32), little endian. */
export const FRAME_HEAD_BYTES = 9

/** Write one frame without copying its payload; cork the stream to send many at once. */
export function writeFrame(stream: Writable, kind: number, id: number, payload: Uint8Array): boolean {
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
  head.writeUInt32LE(payload.length, 0)
  head[4] = kind
  head.writeUInt32LE(id, 5)
  if (payload.length === 0) return stream.write(head)
  stream.write(head)
  return stream.write(payload)
}

/** Takes a frame; the payload is only valid until the next `push` of the reader that made it. */
export type OnFrame = (kind: number, id: number, payload: Buffer) => void

/** Cuts a byte stream into frames. Payloads that arrive whole are not copied; memory is bounded by the largest payload. */
export class FrameReader {
  readonly #maxPayloadBytes: number
  readonly #onFrame: OnFrame
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  #headFill = 0
  #body: Buffer | null = null
  #bodyFill = 0

  constructor(maxPayloadBytes: number, onFrame: OnFrame) {
    this.#maxPayloadBytes = maxPayloadBytes
    this.#onFrame = onFrame
  }

  /**
   * Take the next bytes of the stream.
   * @throws RangeError when a frame announces more than the largest payload; the stream is of no use after that.
   */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#body === null) {
        at = this.#takeHead(chunk, at)
        if (this.#headFill === FRAME_HEAD_BYTES) at = this.#beginBody(chunk, at)
      } else {
        at = this.#takeBody(this.#body, chunk, at)
      }
    }
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = Math.min(FRAME_HEAD_BYTES - this.#headFill, chunk.length - at)
    chunk.copy(this.#head, this.#headFill, at, at + taken)
    this.#headFill += taken
    return at + taken
  }

  #beginBody(chunk: Buffer, at: number): number {
    const length = this.#head.readUInt32LE(0)
    if (length > this.#maxPayloadBytes) {
      throw new RangeError(`a frame of ${length} bytes is over the limit of ${this.#maxPayloadBytes}`)
    }
    if (chunk.length - at >= length) {
      this.#emit(chunk.subarray(at, at + length))
      return at + length
    }
    this.#body = Buffer.allocUnsafe(length)
    this.#bodyFill = 0
    return at
  }

  #takeBody(body: Buffer, chunk: Buffer, at: number): number {
    const taken = Math.min(body.length - this.#bodyFill, chunk.length - at)
    chunk.copy(body, this.#bodyFill, at, at + taken)
    this.#bodyFill += taken
    if (this.#bodyFill === body.length) {
      this.#body = null
      this.#emit(body)
    }
    return at + taken
  }

  #emit(payload: Buffer): void {
    this.#headFill = 0
    this.#onFrame(this.#head[4] ?? 0, this.#head.readUInt32LE(5), payload)
  }
}
