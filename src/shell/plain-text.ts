import { untrusted } from '../../protocol/untrusted-text.ts'

/** Longest line that is gathered, characters. */
const MOST_LINE = 16_384
const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g

/**
 * A program's output as lines of text for a file or a pipe: without colours and sequences, and safe to show. What a line is
 * written over with wins, as on a terminal; programs that take the whole screen leave no sense in it.
 */
export class PlainText {
  #held = ''

  /** The lines that are whole. */
  feed(text: string): string[] {
    const lines = `${this.#held}${text}`.split('\n')
    this.#held = lines.pop() ?? ''
    if (this.#held.length > MOST_LINE) {
      lines.push(this.#held)
      this.#held = ''
    }
    return lines.map(asShown)
  }

  /** The line that has no end. */
  flush(): string[] {
    const rest = this.#held
    this.#held = ''
    return rest === '' ? [] : [asShown(rest)]
  }
}

function asShown(line: string): string {
  const parts = line.replace(SEQUENCE, '').split('\r')
  const cells: string[] = []
  for (const part of parts) {
    let at = 0
    for (const char of part) {
      if (char === '\b') at = Math.max(0, at - 1)
      else {
        cells[at] = char
        at += 1
      }
    }
  }
  return untrusted(cells.join(''))
}
