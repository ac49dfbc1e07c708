import { eventLine, headerLine, readEvent, readHeader } from '../../../src/shell/asciicast.ts'
import { DrawOnly } from '../../../src/shell/draw-only.ts'
import { PlainText } from '../../../src/shell/plain-text.ts'
import { Redactor } from '../../../src/shell/redactor.ts'
import type { Decoder } from '../decoder.ts'

const ABOUT = { context: 'acme', node: 'press-4', where: 'mia@h:22', who: 'mia', why: null, input: false }
const HEADER = headerLine({ width: 80, height: 24, startedMs: 1e12, title: 't', term: 'xterm', about: ABOUT })
const OUTPUT = [
  '\x1b[1;31mrot\x1b[m\r\n\x1b]0;title\x07\x1b[?1049h\x1b[2J\x1b[6n\x1bP$qm\x1b\\',
  'password=hunter2 Bearer abcdefgh.ijk https://u:pw@h/ AKIAIOSFODNN7EXAMPLE\r\n-----BEGIN RSA PRIVATE KEY-----\r\nMIIE\r\n',
]

/** What programs on other machines write while they are recorded, and recordings that others made. */
export function recordingDecoders(): Decoder[] {
  return [
    {
      name: 'recording-header',
      samples: [HEADER, '{"version":2,"width":80,"height":24}'],
      decode: (text: string) => readHeader(text),
      isTaken: (result: unknown) => result !== null,
    },
    {
      name: 'recording-event',
      samples: [eventLine({ atMs: 1.5, code: 'o', data: 'a\x1b[m' }), '[1.5,"r","80x24"]'],
      decode: (text: string) => readEvent(text),
      isTaken: (result: unknown) => result !== null,
    },
    {
      name: 'output-drawn',
      samples: OUTPUT,
      decode: (text: string) => `${new DrawOnly().feed(text)}${new PlainText().feed(text).join()}`,
      isTaken: (result: string) => result.length > 0 && !/\x1b\]|\x1b\[\d*n/.test(result),
    },
    {
      name: 'output-redacted',
      samples: OUTPUT,
      decode: (text: string) => {
        const redactor = new Redactor()
        return [...redactor.feed({ atMs: 0, text }), ...redactor.flush()].map((piece) => piece.text).join('').length
      },
      isTaken: (length: number) => length > 0,
    },
  ]
}
