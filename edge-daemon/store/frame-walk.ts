import type { FrameHeader } from './frame.ts'
import { type Damage, nextGoodFrame, ReadWindow } from './scan.ts'

/** A good frame with its bytes, or a stretch that holds none. */
export type Walked =
  | { readonly header: FrameHeader; readonly bytes: Buffer; readonly damage: null }
  | { readonly damage: Damage }

/** Go through a segment frame by frame, pausing after each. Bytes stay as they are when the walk goes on. */
export function* walkFrames(fd: number, sizeBytes: number): Generator<Walked, void, void> {
  const window = new ReadWindow(fd, sizeBytes)
  let offset = 0
  while (offset < sizeBytes) {
    const read = window.frameAt(offset)
    if (read.ok) {
      yield { header: read.header, bytes: window.bytesAt(offset, read.frameBytes), damage: null }
      offset += read.frameBytes
    } else {
      const resume = nextGoodFrame(window, offset + 1, sizeBytes)
      yield { damage: { offset, bytes: resume - offset } }
      offset = resume
    }
  }
}
