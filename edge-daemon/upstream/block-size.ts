/** One block's way to its receiver, as its acknowledgement told. */
export interface BlockTrip {
  /** Bytes on the wire, headers included. */
  readonly wireBytes: number
  /** From handing it over until the acknowledgement. */
  readonly tookMs: number
}

/** Weight of the newest block in the rate. */
const NEWEST = 0.4
/** Trips with fewer bytes that were also short say more about the receiver's disk than about the link. */
const TELLING_BYTES = 4096
const TELLING_MS = 100
/** Shorter differences are the noise of timers. */
const SHORTEST_MS = 1

/**
 * How many bytes a second a link carries, from the acknowledgements of blocks: what a block took beyond the shortest
 * known round trip is its time on the wire. Bytes of other lanes on the same wire make it look slower, as they should.
 */
export class LinkRate {
  #bytesPerSec: number | null = null
  #tripMs: number | null = null

  /** Bytes a second; null before the first telling block. */
  get bytesPerSec(): number | null {
    return this.#bytesPerSec
  }

  /** A round trip without a load was measured; null when the link is new and nothing is known. */
  roundTrip(rttMs: number | null): void {
    // The shortest of late: one that waited behind a block says nothing, and a route may become longer for good.
    if (rttMs === null) this.#tripMs = null
    else this.#tripMs = this.#tripMs === null ? rttMs : Math.min(rttMs, this.#tripMs * 1.02)
  }

  /** A block was acknowledged. */
  acknowledged({ wireBytes, tookMs }: BlockTrip): void {
    const wireMs = Math.max(SHORTEST_MS, tookMs - Math.min(this.#tripMs ?? 0, tookMs * 0.9))
    const seen = (wireBytes * 1000) / wireMs
    const known = this.#bytesPerSec
    // So much it carries at least; that it is not more is only told by a block that took its time.
    const isTelling = wireBytes >= TELLING_BYTES || tookMs >= TELLING_MS
    if (known === null || (!isTelling && seen > known)) this.#bytesPerSec = seen
    else if (isTelling) this.#bytesPerSec = known * (1 - NEWEST) + seen * NEWEST
  }

  /** A block did not arrive in time: the link carries less than was thought, at most this block in this time. */
  timedOut({ wireBytes, tookMs }: BlockTrip): void {
    const most = (wireBytes * 1000) / Math.max(SHORTEST_MS, tookMs)
    this.#bytesPerSec = Math.min((this.#bytesPerSec ?? most) / 2, most)
  }
}

/** What the size of a block follows. */
export interface BlockSizeInput {
  /** What the link carries, bytes a second; null while it is not known. */
  readonly linkBytesPerSec: number | null
  /** Cap on what leaves the node, bytes a second; null for none. */
  readonly capBytesPerSec: number | null
  /** Lanes that share the link now, this one included. */
  readonly lanes: number
  /** Bytes on the wire for a byte before compression, from the lane's last blocks; null before the first. */
  readonly wirePerPlain: number | null
  /** Largest body the receiver takes, compressed; null when it names none. */
  readonly receiverBytes: number | null
  /** Largest block as configured, before compression. */
  readonly maxBytes: number
}

/** Time on the wire of everything that is under way at once: so long an alert may have to wait behind it. */
export const WIRE_TIME_MS = 1000
/** Below this the headers cost more than the records. */
const SMALLEST_BYTES = 2048
/** A link that nothing is known about gets a block that takes about half a second at 64 kbit/s. */
const FIRST_BYTES = 16 * 1024
/** A block is one message, in the memory of every server on its way. */
const LARGEST_BODY_BYTES = 256 * 1024
const USUAL_WIRE_PER_PLAIN = 0.25
/** Part of the receiver's limit that is used: how well a block compresses is only known afterwards. */
const RECEIVER_MARGIN = 0.8

/** Bytes before compression that the next block may hold; the first record of a block goes whatever its size. */
export function blockBytesFor(input: BlockSizeInput): number {
  const { linkBytesPerSec, capBytesPerSec, lanes, receiverBytes, maxBytes } = input
  const wirePerPlain = Math.max(0.01, input.wirePerPlain ?? USUAL_WIRE_PER_PLAIN)
  const rate = Math.min(linkBytesPerSec ?? Number.POSITIVE_INFINITY, capBytesPerSec ?? Number.POSITIVE_INFINITY)
  const timely =
    rate === Number.POSITIVE_INFINITY ? FIRST_BYTES : (rate * (WIRE_TIME_MS / 1000)) / Math.max(1, lanes) / wirePerPlain
  const bodyBytes = Math.min(LARGEST_BODY_BYTES, (receiverBytes ?? Number.POSITIVE_INFINITY) * RECEIVER_MARGIN)
  const taken = bodyBytes / Math.min(1, wirePerPlain)
  const first = linkBytesPerSec === null ? FIRST_BYTES : Number.POSITIVE_INFINITY
  return Math.floor(Math.min(maxBytes, taken, first, Math.max(SMALLEST_BYTES, timely)))
}
