import type { WebSocket } from 'ws'
import { LIVE_LIMITS, type LiveClock, type TelemetryPace } from './contract.ts'
import { SendWindow } from './send-window.ts'

/** A link that carries less than this in the time of a window, about 170 kbit/s, is thin. */
const THIN_BYTES = 16 * 1024
/** A burst of lines waits for so many windows where the link is not thin. */
const BURST = 8
/** Of so many bytes that leave while a page waits, one part is the page's. */
const PARTS = 4

/** What the way out of a session is made of. */
export interface WayOutParts {
  readonly socket: WebSocket
  /** The cap that all sessions share. */
  readonly pace: TelemetryPace
  readonly clock: LiveClock
  /** Aborted when the session ends. */
  readonly gone: AbortSignal
  /** Lines that were held back may go now. */
  readonly onRoom: () => void
}

/**
 * Everything that leaves a session, in classes: what is told at once (status, answers, changes), lines as they come, and
 * pages and pictures in pieces. The last two go only while little is under way, so that what is told at once never waits
 * long behind them, however thin the link is and whatever buffers lie on it.
 */
export class WayOut {
  /** What lines and pages ask before they go: the shared cap, and this link. */
  readonly pace: TelemetryPace
  readonly #parts: WayOutParts
  readonly #window = new SendWindow()
  /** Pieces that wait for room, in order. */
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = []
  /** Bytes of pieces that have room and wait for their turn under the cap. */
  #grantedBytes = 0
  /** Bytes that others sent while pieces waited. */
  #passedBytes = 0

  constructor(parts: WayOutParts) {
    this.#parts = parts
    const { socket, pace, gone } = parts
    const window = this.#window
    this.pace = {
      get rowsFrameBytes() {
        return Math.min(pace.rowsFrameBytes, window.pieceBytes)
      },
      get heldBytes() {
        return Math.min(pace.heldBytes, heldBytes(window.carriesBytes))
      },
      mayTell: (what) => pace.mayTell(what) && (what === 'status' || this.#mayTellRows()),
      spacingMs: (bytes) => pace.spacingMs(bytes),
      told: (bytes) => pace.told(bytes),
      turn: (bytes, signal) => this.#turn(bytes, signal),
    }
    socket.on('pong', (data) => this.#cameBack(data))
    gone.addEventListener('abort', () => this.#serve(), { once: true })
  }

  /** Send at once. */
  send(text: string): void {
    const { socket, pace } = this.#parts
    if (socket.readyState !== socket.OPEN) return
    const bytes = Buffer.byteLength(text)
    socket.send(text)
    pace.told(bytes)
    if (this.#waiting.length > 0) this.#passedBytes += bytes
    this.#sent(bytes)
    if (socket.bufferedAmount > LIVE_LIMITS.deadBytes) socket.terminate()
  }

  /** Send when its turn comes and wait until the kernel took it; false when the session ended. */
  async sendInTurn(text: string): Promise<boolean> {
    const { socket, gone } = this.#parts
    const bytes = Buffer.byteLength(text)
    if (!(await this.pace.turn(bytes, gone)) || socket.readyState !== socket.OPEN) return false
    return new Promise((resolve) => {
      socket.send(text, (error) => resolve(error == null))
      this.#sent(bytes)
    })
  }

  /** Find out the bare round trip, by a mark with as little as possible ahead of it. */
  probe(): void {
    if (this.#window.underWayBytes < this.#window.pieceBytes) this.#mark()
  }

  get #hasRoom(): boolean {
    return this.#window.underWayBytes + this.#grantedBytes < this.#window.sizeBytes
  }

  #mayTellRows(): boolean {
    const isPagesTurn = this.#waiting.length > 0 && this.#passedBytes >= (PARTS - 1) * this.#window.pieceBytes
    return this.#hasRoom && !isPagesTurn
  }

  /** Wait until a piece may go, by this link and then by the cap; false when the session ended. */
  async #turn(bytes: number, signal: AbortSignal): Promise<boolean> {
    const { gone, pace } = this.#parts
    if (gone.aborted) return false
    if (this.#waiting.length > 0 || !this.#hasRoom) {
      await new Promise<void>((go) => this.#waiting.push({ bytes, go }))
    } else this.#grantedBytes += bytes
    const hasTurn = !gone.aborted && (await pace.turn(bytes, signal))
    this.#grantedBytes -= bytes
    return hasTurn
  }

  #sent(bytes: number): void {
    if (this.#window.sent(bytes, this.#parts.clock.monotonicMs())) this.#mark()
  }

  /** The other end of a WebSocket answers a ping with what was in it (RFC 6455 section 5.5.3). */
  #mark(): void {
    const { socket, clock } = this.#parts
    if (socket.readyState !== socket.OPEN) return
    const data = Buffer.alloc(4)
    data.writeUInt32BE(this.#window.mark(clock.monotonicMs()))
    socket.ping(data)
  }

  #cameBack(data: Buffer): void {
    if (data.length !== 4 || !this.#window.came(data.readUInt32BE(), this.#parts.clock.monotonicMs())) return
    this.#parts.onRoom()
    this.#serve()
  }

  #serve(): void {
    const isOver = this.#parts.gone.aborted
    while (isOver || this.#hasRoom) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#passedBytes = 0
      this.#grantedBytes += next.bytes
      next.go()
    }
  }
}

/** Few lines wait where few can go, so that those that come are new. */
function heldBytes(carriesBytes: number | null): number {
  if (carriesBytes === null) return Number.POSITIVE_INFINITY
  return carriesBytes < THIN_BYTES ? carriesBytes : carriesBytes * BURST
}
