import type { DaemonFrame, FrameOf } from '../../protocol/frames.ts'

/** Largest picture that a console takes, bytes. */
export const MAX_PICTURE_BYTES = 64 * 1024 * 1024

/** A picture whose stretches come one after the other. */
export class PictureFetch {
  readonly #parts: Uint8Array[] = []
  #bytes = 0

  /** Take a stretch. Returns the whole picture with the last one, null before, and a sentence when it makes no sense. */
  take(frame: FrameOf<DaemonFrame, 'picture'>): { contentType: string; data: Uint8Array } | string | null {
    if (frame.sizeBytes > MAX_PICTURE_BYTES)
      return `the picture has ${frame.sizeBytes} bytes, more than a console takes`
    if (frame.offset !== this.#bytes) return 'a stretch of the picture did not come'
    const part = Buffer.from(frame.data, 'base64')
    this.#parts.push(part)
    this.#bytes += part.length
    if (this.#bytes > frame.sizeBytes) return 'the node sent more of the picture than it said'
    if (!frame.last) return part.length === 0 ? 'a stretch of the picture is empty' : null
    if (this.#bytes !== frame.sizeBytes) return 'the picture ends too early'
    return { contentType: frame.contentType, data: Buffer.concat(this.#parts) }
  }
}
