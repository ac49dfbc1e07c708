import { StringDecoder } from 'node:string_decoder'
import { type UntrustedText, untrusted } from '../../protocol/untrusted-text.ts'

/** A longer line is handed on in pieces of so many characters, so that no program fills our memory with one line. */
export const MAX_LINE_CHARS = 8192
const TAB_COLUMNS = 8
const COLOURS = /\x1b\[[0-9;:]*m/g

/** Cuts a program's bytes into lines, also where a chunk ends within a character; what is not UTF-8 becomes U+FFFD. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #take: (line: string) => void
  #rest = ''

  /** `take` gets each line without its end. */
  constructor(take: (line: string) => void) {
    this.#take = take
  }

  push(chunk: Buffer): void {
    this.#add(this.#decoder.write(chunk))
  }

  /** Hand on what stands without a line end. */
  end(): void {
    this.#add(this.#decoder.end())
    if (this.#rest !== '') this.#take(this.#rest)
    this.#rest = ''
  }

  #add(text: string): void {
    let from = 0
    for (;;) {
      const end = text.indexOf('\n', from)
      if (end < 0) break
      this.#line(this.#rest + text.slice(from, end))
      this.#rest = ''
      from = end + 1
    }
    this.#rest += text.slice(from)
    while (this.#rest.length > MAX_LINE_CHARS) {
      const cut = cutAt(this.#rest)
      this.#take(this.#rest.slice(0, cut))
      this.#rest = this.#rest.slice(cut)
    }
  }

  #line(text: string): void {
    let rest = text.endsWith('\r') ? text.slice(0, -1) : text
    while (rest.length > MAX_LINE_CHARS) {
      const cut = cutAt(rest)
      this.#take(rest.slice(0, cut))
      rest = rest.slice(cut)
    }
    this.#take(rest)
  }
}

/** Within the bound, and not between the halves of a character. */
function cutAt(text: string): number {
  const code = text.charCodeAt(MAX_LINE_CHARS - 1)
  return code >= 0xd800 && code < 0xdc00 ? MAX_LINE_CHARS - 1 : MAX_LINE_CHARS
}

/** A line as it is shown: colours are dropped, tabs stand where they would, everything else is told and not executed. */
export function shownLine(text: string): UntrustedText {
  const plain = text.replace(COLOURS, '')
  if (!plain.includes('\t')) return untrusted(plain)
  let out = ''
  for (const [index, part] of plain.split('\t').entries()) {
    if (index > 0) out += ' '.repeat(TAB_COLUMNS - (out.length % TAB_COLUMNS))
    out += part
  }
  return untrusted(out)
}
