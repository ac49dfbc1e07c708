/** What a {@link TrustedClock} starts from. */
export interface TrustedClockOptions {
  /** Unix ms that is not before what the fleet's CA has signed; 0 when nothing was signed yet. */
  readonly floorMs: number
  /** The machine's wall clock, Unix ms; may be wrong and may jump. */
  readonly wallMs?: () => number
  /** A clock that only rises, ms. */
  readonly monotonicMs?: () => number
  /** Told of every new floor, which is to be kept. */
  readonly onFloor?: (floorMs: number) => void
}

/**
 * The time by which a node judges certificates (requirement S1): never before what the fleet's CA has signed, and, once a
 * controller has signed an answer to a nonce, that time carried on by the monotonic clock, so that whoever sets the
 * machine's clock neither revives an ended certificate nor locks the operators out. The wall clock never moves the floor.
 */
export class TrustedClock {
  readonly #wallMs: () => number
  readonly #monotonicMs: () => number
  readonly #onFloor: (floorMs: number) => void
  #floorMs: number
  #anchor: { readonly atMs: number; readonly monotonicMs: number } | null = null

  constructor({ floorMs, wallMs = Date.now, monotonicMs = () => performance.now(), onFloor }: TrustedClockOptions) {
    this.#floorMs = floorMs
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    this.#onFloor = onFloor ?? (() => undefined)
  }

  /** Unix ms. */
  nowMs(): number {
    return Math.max(this.#floorMs, this.#told() ?? this.#wallMs())
  }

  get floorMs(): number {
    return this.#floorMs
  }

  /** Whether a controller has told the time since the start. */
  get isConfirmed(): boolean {
    return this.#anchor !== null
  }

  /** How far the machine's clock is ahead of this one, ms; negative when it is behind. */
  get wallAheadMs(): number {
    return this.#wallMs() - this.nowMs()
  }

  /** The CA signed at this time or later. Never lowers the floor. */
  raiseFloor(atMs: number): void {
    if (atMs <= this.#floorMs) return
    this.#floorMs = atMs
    this.#onFloor(atMs)
  }

  /**
   * Begin anew at an earlier floor, with nothing told: what had said the time before is trusted no more, which only a root
   * of the fleet can say.
   */
  startAnew(floorMs: number): void {
    this.#floorMs = Math.min(this.#floorMs, floorMs)
    this.#anchor = null
  }

  /** A controller said that it is this time now (Unix ms), and proved who it is. */
  confirm(atMs: number): void {
    this.#anchor = { atMs, monotonicMs: this.#monotonicMs() }
  }

  #told(): number | null {
    return this.#anchor === null ? null : this.#anchor.atMs + this.#monotonicMs() - this.#anchor.monotonicMs
  }
}
