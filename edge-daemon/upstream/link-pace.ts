import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { Block } from './block.ts'
import { blockBytesFor, LinkRate } from './block-size.ts'
import type { PacedClass, UplinkPacer } from './uplink-pacer.ts'
import type { Delivery, Wire } from './wire.ts'

/** What a {@link LinkPace} is made of. */
export interface LinkPaceOptions {
  readonly pacer: Pick<UplinkPacer, 'turn' | 'capBytesPerSec'>
  readonly wire: Pick<Wire, 'rttMs'> & Partial<Pick<Wire, 'maxBodyBytes'>>
  /** Largest block as configured, before compression. */
  readonly maxBytes: number
  /** Wall clock, Unix ms. */
  readonly nowMs?: () => number
}

/** Records older than this when they go are of a backlog, and what happens now goes before them. */
const LATE_MS = 10_000
/** Frame, acknowledgement inbox, TLS: what a block takes on the wire besides its headers and body. */
const FRAME_BYTES = 120
/** A refusal comes at once; what took longer than this did not get through. */
const UNANSWERED_MS = 1000

/** What the lanes to one target share: how fast the link is, and how many of them use it now. */
export class LinkPace {
  readonly rate = new LinkRate()
  readonly options: LinkPaceOptions
  /** Lanes with a block under way. */
  sending = 0

  constructor(options: LinkPaceOptions) {
    this.options = options
  }

  /** One lane's share of it. */
  lane(pacedClass: UpstreamClass | 'resend'): LanePace {
    return new LanePace(this, pacedClass)
  }
}

/** How large a lane's next block may be, and when it may go. */
export class LanePace {
  readonly #link: LinkPace
  readonly #class: PacedClass
  #wirePerPlain: number | null = null
  /** A block is under way; the next one may be built meanwhile. */
  #isSending = false

  constructor(link: LinkPace, pacedClass: PacedClass) {
    this.#link = link
    this.#class = pacedClass
  }

  /** Bytes before compression of the next block. */
  blockBytes(): number {
    const { rate, sending, options } = this.#link
    return blockBytesFor({
      linkBytesPerSec: rate.bytesPerSec,
      capBytesPerSec: options.pacer.capBytesPerSec,
      lanes: sending + (this.#isSending ? 0 : 1),
      wirePerPlain: this.#wirePerPlain,
      receiverBytes: options.wire.maxBodyBytes ?? null,
      maxBytes: options.maxBytes,
    })
  }

  /** Wait for the block's turn, then send it and learn from how that went; null when the signal came before the turn. */
  async carry(block: Block, send: () => Promise<Delivery>, signal: AbortSignal): Promise<Delivery | null> {
    const { rate, options } = this.#link
    const bytes = wireBytesOf(block)
    const ageMs = (options.nowMs ?? Date.now)() - (block.timestamps[0] ?? 0)
    const turn = await options.pacer.turn({ class: this.#class, bytes, late: ageMs > LATE_MS }, signal)
    if (turn === null) return null
    this.#link.sending += 1
    this.#isSending = true
    const startedAtMs = performance.now()
    const delivery = await send()
    const trip = { wireBytes: bytes, tookMs: performance.now() - startedAtMs }
    this.#link.sending -= 1
    this.#isSending = false
    turn.ended()
    if (delivery.outcome === 'held') {
      rate.roundTrip(options.wire.rttMs)
      rate.acknowledged(trip)
      this.#learn(block, bytes)
    } else if (delivery.outcome === 'again' && trip.tookMs > UNANSWERED_MS) {
      rate.timedOut(trip)
    }
    return delivery
  }

  #learn(block: Block, wireBytes: number): void {
    const seen = wireBytes / block.plainBytes
    this.#wirePerPlain = this.#wirePerPlain === null ? seen : (this.#wirePerPlain + seen) / 2
  }
}

/** Bytes that a block takes on the wire, about. */
function wireBytesOf({ headers, body, subject }: Block): number {
  const headerBytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
  return headerBytes + body.length + subject.length + FRAME_BYTES
}
