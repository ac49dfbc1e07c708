import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import type { KeptPicture } from './contract.ts'
import type { SendCredit } from './send-credit.ts'

/** Most characters of base64 in a frame: 96 KiB of the picture. */
const MOST_PIECE_CHARS = 128 * 1024
/** At most so many that every piece decodes by itself. */
const WHOLE_CHARS = 4

/** Finds the kept picture of a result by the sequence of the result. */
export type PictureReader = (seq: number) => Promise<KeptPicture>

/** Send a picture piece by piece; each frame takes a credit and has left for the kernel before the next is made. */
export async function sendPicture(
  { id, seq }: FrameOf<ClientFrame, 'fetch'>,
  { contentType, sizeBytes, base64 }: KeptPicture,
  outlet: { readonly credit: SendCredit; pieceBytes(): number; send(frame: string): Promise<boolean> },
): Promise<void> {
  let at = 0
  do {
    if (!(await outlet.credit.take())) return
    const chars = Math.min(MOST_PIECE_CHARS, Math.max(1, Math.floor(outlet.pieceBytes() / WHOLE_CHARS)) * WHOLE_CHARS)
    const data = base64.slice(at, at + chars)
    const last = at + chars >= base64.length
    const frame = { t: 'picture', id, seq, contentType, sizeBytes, offset: (at / 4) * 3, data, last }
    if (!(await outlet.send(JSON.stringify(frame)))) return
    at += chars
  } while (at < base64.length)
}
