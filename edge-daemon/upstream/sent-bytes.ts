import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'

/** What a block's bytes are counted as: its class, or that it is sent again on request. */
export type SentClass = UpstreamClass | 'resend'
/** @see SentClass */
export const SENT_CLASSES: readonly SentClass[] = [...UPSTREAM_CLASSES, 'resend']

/** A message on its way: it counts for its class once its fate is known. */
interface Flight {
  readonly recordClass: SentClass
  readonly bytes: number
}

/**
 * Shares the bytes of one wire out to record classes; what no message accounts for is `control` (handshakes, pings,
 * acknowledgement inboxes). The shares add up to the total whenever no message is in flight, and none of them ever falls.
 */
export class SentBytes {
  readonly #totalBytes: () => number
  readonly #byClass: Record<SentClass, number> = zeroes()
  readonly #flying = new Set<Flight>()
  #controlBytes = 0

  /** @param totalBytes what the sockets wrote so far */
  constructor(totalBytes: () => number) {
    this.#totalBytes = totalBytes
  }

  /** A message of exactly `bytes` is handed to the wire. Call the answer when it is known to have left. */
  begin(recordClass: SentClass, bytes: number): () => void {
    this.#settleControl()
    const flight = { recordClass, bytes }
    this.#flying.add(flight)
    return () => {
      if (this.#flying.delete(flight)) this.#byClass[recordClass] += bytes
    }
  }

  /** The connection is gone: of what was in flight only what the sockets really wrote counts. */
  connectionLost(): void {
    let leftBytes = this.#unclaimedBytes()
    for (const { recordClass, bytes } of this.#flying) {
      const wroteBytes = Math.min(bytes, leftBytes)
      this.#byClass[recordClass] += wroteBytes
      leftBytes -= wroteBytes
    }
    this.#flying.clear()
    this.#controlBytes += leftBytes
  }

  snapshot(): Record<string, number> {
    this.#settleControl()
    return { ...this.#byClass, control: this.#controlBytes }
  }

  #settleControl(): void {
    let flyingBytes = 0
    for (const flight of this.#flying) flyingBytes += flight.bytes
    this.#controlBytes += Math.max(0, this.#unclaimedBytes() - flyingBytes)
  }

  #unclaimedBytes(): number {
    const claimedBytes = SENT_CLASSES.reduce((sum, name) => sum + this.#byClass[name], this.#controlBytes)
    return Math.max(0, this.#totalBytes() - claimedBytes)
  }
}

function zeroes(): Record<SentClass, number> {
  return { ledger: 0, alert: 0, error: 0, abnormal: 0, stat: 0, metric: 0, audit: 0, resend: 0 }
}
