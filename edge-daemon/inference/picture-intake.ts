import type { BatchRunner } from './batch-runner.ts'
import type { PictureHeader } from './decode/header.ts'
import type { DecodedPicture, PictureDecoder } from './decode/picture-decoder.ts'

/** Pictures that libvips decodes at the same time; each may need hundreds of megabytes. */
const LARGE_AT_ONCE = 2

interface LargePicture {
  readonly id: number
  readonly bytes: Buffer
  readonly header: PictureHeader
}

/** Decodes what arrives and hands it to the runner: quick ones at once, large ones a few at a time beside the runs. */
export class PictureIntake {
  readonly #decoder: PictureDecoder
  readonly #runner: BatchRunner
  readonly #large: LargePicture[] = []
  #largeRunning = 0

  constructor(decoder: PictureDecoder, runner: BatchRunner) {
    this.#decoder = decoder
    this.#runner = runner
  }

  /** Take a picture whose bytes are only valid during this call. */
  take(id: number, bytes: Buffer): void {
    const startedAt = performance.now()
    const begun = this.#decoder.begin(bytes)
    if (begun.kind === 'done') {
      this.#hand(id, begun.picture, startedAt)
      return
    }
    this.#large.push({ id, bytes: Buffer.from(bytes), header: begun.header })
    this.#pump()
  }

  #pump(): void {
    while (this.#largeRunning < LARGE_AT_ONCE) {
      const next = this.#large.shift()
      if (next === undefined) return
      this.#largeRunning += 1
      void this.#decodeLarge(next)
    }
  }

  async #decodeLarge({ id, bytes, header }: LargePicture): Promise<void> {
    const startedAt = performance.now()
    this.#hand(id, await this.#decoder.finishLarge(bytes, header), startedAt)
    this.#largeRunning -= 1
    this.#pump()
  }

  #hand(id: number, picture: DecodedPicture, startedAt: number): void {
    if (picture.ok) this.#runner.add(id, picture.pixels, performance.now() - startedAt)
    else this.#runner.refuse([id, picture.code, picture.msg])
  }
}
