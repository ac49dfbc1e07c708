import { expect, test } from 'vitest'
import { DrawOnly } from '../../../src/shell/draw-only.ts'
import { PlainText } from '../../../src/shell/plain-text.ts'
import { Emulator } from '../../support/emulator.ts'
import { seededRandom } from '../../support/random.ts'

const drawn = (text: string): string => new DrawOnly().feed(text)

test.each([
  ['colours and places', '\x1b[1;38;2;1;2;3mrot\x1b[m\x1b[2;5H\x1b[K\x1b7\x1b8\x1b[?25l\x1b[?1049h', undefined],
  ['lines of boxes', '\x1b(0lqk\x1b(B', undefined],
  ['the shape of the cursor', '\x1b[4 q', undefined],
  ['questions', 'a\x1b[c\x1b[>c\x1b[6n\x1b[5n\x1b[?2004$p\x1b[18t\x1bZ\x1b[>qb', 'ab'],
  ['clipboard, title and colours', 'a\x1b]52;c;aGk=\x07\x1b]0;evil\x1b\\\x1b]11;?\x07b', 'ab'],
  ['programmes for the terminal', 'a\x1bP$qm\x1b\\\x1b_Gi=1;\x1b\\\x1b^x\x1b\\b', 'ab'],
  ['keyboard, paste and mouse', 'a\x1b[?1000h\x1b[?2004h\x1b[>1u\x1b[?1h\x1b=\x1b[?25;1000hb', 'ab'],
  ['bells and nothing', 'a\x07\x00\x7fb', 'ab'],
  ['a reset', '\x1bc', '\x1b[m\x1b[r\x1b[H\x1b[2J'],
  ['controls of eight bits and text that runs backwards', 'a\u009bcb\u202ec', 'a·cb·c'],
  ['a string that never ends', `a\x1b]0;${'x'.repeat(100_000)}`, 'a'],
  ['what is cut off in a string', 'a\x1b]0;t\x18b', 'ab'],
] as const)('of %s what draws is let through', (_name, text, wanted: string = text) => {
  expect(drawn(text)).toBe(wanted)
})

test('is alike however the output is cut, and a terminal answers nothing of what is let through', async () => {
  const random = seededRandom(7)
  const alphabet = [
    '\x1b',
    '[',
    ']',
    'P',
    '?',
    ';',
    '1',
    '5',
    'n',
    'c',
    't',
    'm',
    'H',
    '\x07',
    '\\',
    'a',
    '東',
    ' ',
    '$',
    'p',
    'q',
    '>',
  ]
  const emulator = new Emulator(80, 24)
  const answers: string[] = []
  emulator.terminal.onData((data) => answers.push(data))
  for (let round = 0; round < 300; round += 1) {
    const text = Array.from({ length: 60 }, () => alphabet[Math.floor(random() * alphabet.length)] ?? '').join('')
    const whole = drawn(text)
    const pieces = new DrawOnly()
    expect([...text].map((char) => pieces.feed(char)).join('')).toBe(whole)
    emulator.write(whole)
  }
  await emulator.settle()
  expect(answers).toEqual([])
  emulator.dispose()
})

test('as text it is what was to be read, a line at a time, with nothing that a terminal executes', () => {
  const text = new PlainText()
  expect(text.feed('\x1b[32mok\x1b[m\r\n10 %\r50 %\r100 %\r\nab\b\bxy\n\x1b]0;t\x07rest')).toEqual([
    'ok',
    '100 %',
    'xy',
  ])
  expect(text.feed('\x1b[')).toEqual([])
  expect(text.flush()).toEqual(['rest'])
})
