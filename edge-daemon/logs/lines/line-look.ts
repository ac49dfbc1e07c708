import { HINT_OF } from './secrets.ts'

/** What stands in a line, a bit each. */
export const CONTROL = 1
export const BACKSLASH = 2
export const QUOTE = 4
/** Anything that is not ASCII. */
export const BEYOND_ASCII = 8
/** Something that may be a secret of the built-in list. */
export const SECRET_HINT = 16

const FIRST_PLAIN = 0x20
const KINDS = new Uint8Array(128).fill(CONTROL, 0, FIRST_PLAIN)
KINDS[0x5c] = BACKSLASH
KINDS[0x22] = QUOTE

/** Look at every character of a line once for all that is asked of it later: most lines hold nothing of this. */
export function lookAt(text: string): number {
  let found = 0
  let last = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    last = ((last << 5) | (code & 31)) & 0x7fff
    found |= (code < 128 ? (KINDS[code] as number) : BEYOND_ASCII) | ((HINT_OF[last] as number) * SECRET_HINT)
  }
  return found
}
