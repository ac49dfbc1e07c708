import { type FramePainter, unreadablePicture } from './digit-frames.ts'

const PLAIN_FRAMES = 24
const HARD_FRAMES = 8
/** Share of frames that the model should doubt, so that some results are abnormal. */
const HARD_SHARE = 0.02

/**
 * Frames painted ahead, so that a camera's pace does not wait for painting. It fills between other work: the first
 * frame is there at once, all of them within a second or so.
 */
export class FramePool {
  readonly #painter: FramePainter
  readonly #random: () => number
  readonly #plain: Buffer[] = []
  readonly #hard: Buffer[] = []
  #filling: NodeJS.Immediate | null = null

  /** `random` gives numbers in [0, 1). */
  constructor(painter: FramePainter, random: () => number) {
    this.#painter = painter
    this.#random = random
  }

  /** Begin to fill the pool. */
  start(): void {
    if (this.#filling !== null) return
    this.#plain.push(this.#painter.plain())
    this.#filling = setImmediate(() => this.#fill())
  }

  stop(): void {
    if (this.#filling !== null) clearImmediate(this.#filling)
  }

  /** A frame as a good camera sends it; null before `start()`. */
  next(): Buffer | null {
    const hard = this.#hard.length > 0 && this.#random() < HARD_SHARE
    return this.#pick(hard ? this.#hard : this.#plain)
  }

  /** What a broken camera sends; null before `start()`. */
  nextUnreadable(): Buffer | null {
    const frame = this.#pick(this.#plain)
    return frame === null ? null : unreadablePicture(frame, this.#random)
  }

  #fill(): void {
    if (this.#plain.length < PLAIN_FRAMES) this.#plain.push(this.#painter.plain())
    else if (this.#hard.length < HARD_FRAMES) this.#hard.push(this.#painter.hard())
    else return
    this.#filling = setImmediate(() => this.#fill())
  }

  #pick(frames: readonly Buffer[]): Buffer | null {
    return frames[Math.floor(this.#random() * frames.length)] ?? null
  }
}
