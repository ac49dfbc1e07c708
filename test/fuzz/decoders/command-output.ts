import { isSafe } from '../../../protocol/untrusted-text.ts'
import { LineSplitter, MAX_LINE_CHARS, shownLine } from '../../../src/shell/fan-out-lines.ts'
import type { Decoder } from '../decoder.ts'

/** What programs on nodes write, in whatever chunks it comes. */
export function commandOutputDecoders(): Decoder[] {
  return [
    {
      name: 'command-output',
      samples: [Buffer.from('\u001b[1;31mred\u001b[0m\t中文 😀\r\n\u001b]52;c;eA==\u0007\nlast'), Buffer.from('\n\n')],
      decode: (bytes: Buffer) => {
        const whole = linesOf([bytes])
        const third = Math.floor(bytes.length / 3)
        const cut = linesOf([bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)])
        // Where a line is longer than the bound, the pieces may be others, and join to the same.
        if (whole.join('') !== cut.join('')) throw new RangeError('the lines depend on the chunks')
        if (whole.some((line) => line.length > MAX_LINE_CHARS)) throw new RangeError('a line is over the bound')
        const shown = whole.map(shownLine)
        if (!shown.every(isSafe)) throw new RangeError('a line is not safe to show')
        return shown
      },
      isTaken: (lines: readonly string[]) => lines.length > 0,
    },
  ]
}

function linesOf(chunks: readonly Buffer[]): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return lines
}
