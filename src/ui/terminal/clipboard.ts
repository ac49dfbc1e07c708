/** Most text that is handed to a terminal's clipboard, bytes of UTF-8: terminals drop sequences over about 100 000 characters. */
export const MAX_CLIPBOARD_BYTES = 74_994

/** A text for the clipboard, or why it cannot be put there. */
export type ClipboardText =
  | {
      readonly ok: true
      readonly sequence: string
      readonly bytes: number
      /** What has to be so for it to arrive; null where nothing is known against it. */
      readonly needs: string | null
    }
  | { readonly ok: false; readonly message: string }

/**
 * The sequence that puts a text into the clipboard of the terminal that the operator sits at, over SSH too (OSC 52). In tmux it
 * is sent both ways: to tmux itself, which takes it with `set-clipboard on`, and through it, with `allow-passthrough on`.
 * The text goes as base64, so nothing in it can be executed. No terminal answers whether it took it.
 */
export function clipboardText(text: string, env: Readonly<Record<string, string | undefined>>): ClipboardText {
  const data = Buffer.from(text, 'utf8')
  if (data.length > MAX_CLIPBOARD_BYTES) {
    return {
      ok: false,
      message: `${data.length} bytes are more than terminals take (${MAX_CLIPBOARD_BYTES}): save them to a file instead`,
    }
  }
  const term = env.TERM ?? ''
  if (term === 'linux' || term === 'dumb' || term === '') {
    return { ok: false, message: 'this terminal has no clipboard: save to a file instead' }
  }
  const osc = `\x1b]52;c;${data.toString('base64')}\x07`
  if (env.TMUX) {
    const through = `\x1bPtmux;${osc.replaceAll('\x1b', '\x1b\x1b')}\x1b\\`
    return { ok: true, sequence: osc + through, bytes: data.length, needs: 'tmux needs "set -g set-clipboard on"' }
  }
  if (/^screen/.test(term)) {
    return { ok: true, sequence: `\x1bP${osc}\x1b\\`, bytes: data.length, needs: 'screen may cut it at 768 bytes' }
  }
  const needs = env.VTE_VERSION ? 'this terminal may not allow it' : null
  return { ok: true, sequence: osc, bytes: data.length, needs }
}
