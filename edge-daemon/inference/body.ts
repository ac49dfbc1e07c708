import type { IncomingMessage } from 'node:http'

/** A request body, or why it was not taken; `aborted` means that nobody waits for an answer. */
export type BodyResult =
  | { readonly ok: true; readonly body: Buffer }
  | { readonly ok: false; readonly why: 'too_large' | 'no_memory' | 'aborted' }

/** Bytes that all requests together may hold; reserved before they arrive, given back when the request is done. */
export class MemoryBudget {
  readonly #limitBytes: number
  #usedBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Bytes in use. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Take bytes; false, taking nothing, when they are not there. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#limitBytes) return false
    this.#usedBytes += bytes
    return true
  }

  /** Give bytes back. */
  give(bytes: number): void {
    this.#usedBytes -= bytes
  }
}

/** How a body is read. */
export interface BodyOptions {
  readonly limitBytes: number
  readonly budget: MemoryBudget
  /** Told of every chunk, also of those that are thrown away. */
  readonly onBytes: (bytes: number) => void
}

/** Length that a request announces; null when it does not. */
export function announcedBytes(request: IncomingMessage): number | null {
  const header = request.headers['content-length']
  return header === undefined ? null : Number(header)
}

/**
 * Read a body of at most `limitBytes`. Stops keeping bytes as soon as it is known to be larger; the caller answers and
 * discards the rest. On success the budget holds the body's bytes until the caller gives them back.
 */
export function readBody(request: IncomingMessage, { limitBytes, budget, onBytes }: BodyOptions): Promise<BodyResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let heldBytes = 0
    let isOver = false
    const finish = (result: BodyResult): void => {
      if (isOver) return
      isOver = true
      if (!result.ok) {
        budget.give(heldBytes)
        chunks.length = 0
      }
      resolve(result)
    }
    request.on('data', (chunk: Buffer) => {
      onBytes(chunk.length)
      if (isOver) return
      if (heldBytes + chunk.length > limitBytes) return finish({ ok: false, why: 'too_large' })
      if (!budget.take(chunk.length)) return finish({ ok: false, why: 'no_memory' })
      heldBytes += chunk.length
      chunks.push(chunk)
    })
    request.on('end', () => {
      finish({ ok: true, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, heldBytes) })
    })
    request.on('close', () => finish({ ok: false, why: 'aborted' }))
    const announced = announcedBytes(request)
    if (announced !== null && announced > limitBytes) finish({ ok: false, why: 'too_large' })
  })
}
