import { expect, test } from 'vitest'
import { clipboardText, MAX_CLIPBOARD_BYTES } from '../../../src/ui/terminal/clipboard.ts'

const OSC = (text: string): string => `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`

test('a text goes as base64, so that nothing in it is executed', () => {
  const text = 'evil \x1b]0;owned\x07 温度'
  expect(clipboardText(text, { TERM: 'xterm-256color' })).toMatchObject({ ok: true, sequence: OSC(text), needs: null })
})

test('in tmux it is sent to tmux and through it', () => {
  const sent = clipboardText('x', { TERM: 'tmux-256color', TMUX: '/tmp/tmux' })
  expect(sent).toMatchObject({ ok: true, sequence: `${OSC('x')}\x1bPtmux;\x1b${OSC('x')}\x1b\\` })
})

test('what a terminal would drop is refused with what to do instead', () => {
  expect(clipboardText('x'.repeat(MAX_CLIPBOARD_BYTES + 1), { TERM: 'xterm' })).toMatchObject({ ok: false })
  expect(clipboardText('x', { TERM: 'linux' })).toMatchObject({ ok: false, message: expect.stringContaining('save') })
})
