import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import type { KeptPicture } from './contract.ts'
import type { SendCredit } from './send-credit.ts'

/** Characters of base64 in a frame: 96 KiB of the picture. A multiple of 4, so that every piece decodes by itself. */
const PIECE_CHARS = 128 * 1024

/** Finds the kept picture of a result by the sequence of the result. */
export type PictureReader = (seq: number) => Promise<KeptPicture>

/** Send a picture piece by piece; each frame takes a credit and has left for the kernel before the next is made. */
export async function sendPicture(
  { id, seq }: FrameOf<ClientFrame, 'fetch'>,
  { contentType, sizeBytes, base64 }: KeptPicture,
  outlet: { readonly credit: SendCredit; send(frame: string): Promise<boolean> },
): Promise<void> {
  for (let at = 0; at === 0 || at < base64.length; at += PIECE_CHARS) {
    const data = base64.slice(at, at + PIECE_CHARS)
    const last = at + PIECE_CHARS >= base64.length
    const frame = { t: 'picture', id, seq, contentType, sizeBytes, offset: (at / 4) * 3, data, last }
    if (!(await outlet.credit.take()) || !(await outlet.send(JSON.stringify(frame)))) return
  }
}
