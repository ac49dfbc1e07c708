declare const brand: unique symbol

/** Text from outside made safe to show: no control, escape or bidi character is left, combining floods are cut. */
export type UntrustedText = string & { readonly [brand]: 'untrusted-text' }

const MAX_COMBINING = 4
// C0, DEL, C1, bidi controls and isolates, line and paragraph separators, zero-width and invisible format characters,
// tags, lone surrogates. Each is shown as a visible stand-in, never executed.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu
const COMBINING_FLOOD = new RegExp(`(\\p{M}{${MAX_COMBINING}})\\p{M}+`, 'gu')

/**
 * Make text from a node, a log line or a file safe for a terminal: a tab becomes a space, C0 controls become their
 * control pictures (ESC → `␛`), everything else invisible becomes `·`, and at most four combining marks stay on a letter.
 */
export function untrusted(text: string): UntrustedText {
  return text.replace(UNSAFE, standIn).replace(COMBINING_FLOOD, '$1') as UntrustedText
}

/** Whether text holds nothing that a terminal would execute; the screen asserts it on every cell it writes. */
export function isSafe(text: string): boolean {
  UNSAFE.lastIndex = 0
  return !UNSAFE.test(text)
}

function standIn(char: string): string {
  const code = char.codePointAt(0) ?? 0
  if (code === 0x09) return ' '
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '␡' : '·'
}
