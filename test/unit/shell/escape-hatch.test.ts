import { expect, test } from 'vitest'
import { EscapeHatch } from '../../../src/shell/escape-hatch.ts'

function typed(...chunks: string[]): { sent: string; wishes: string[] } {
  const hatch = new EscapeHatch()
  let sent = ''
  const wishes: string[] = []
  for (const chunk of chunks) {
    const { send, wish } = hatch.feed(Buffer.from(chunk))
    sent += send.toString()
    if (wish !== 'none') wishes.push(wish)
  }
  return { sent, wishes }
}

test.each([
  ['leaves at once, and after enter', ['~.'], '', ['leave']],
  ['leaves in keys of their own', ['l', 's', '\r', '~', '.'], 'ls\r', ['leave']],
  ['is text within a line', ['a~.'], 'a~.', []],
  ['types one for two', ['~~ls\r'], '~ls\r', []],
  ['lets any other key through', ['~/bin\r'], '~/bin\r', []],
  ['tells more, and goes on at the beginning of the line', ['~?', '~.'], '', ['help', 'leave']],
  ['is text in a paste', ['\x1b[200~a\r~.b\x1b[201~\r~.'], '\x1b[200~a\r~.b\x1b[201~\r', ['leave']],
  ['follows a paste whose mark is cut', ['\x1b[20', '0~', '\r~.', '\x1b[201', '~'], '\x1b[200~\r~.\x1b[201~', []],
  ['leaves bytes alone that are no text', ['\xff\x00'], '\xff\x00', []],
] as const)('%s', (_name, chunks, sent, wishes) => {
  expect(typed(...chunks)).toEqual({ sent, wishes })
})
