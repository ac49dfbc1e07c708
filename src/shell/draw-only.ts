/** Longest sequence that is waited for, characters; a longer one is dropped as it comes. */
const MOST_SEQUENCE = 256

/** Modes that change what is seen: cursor, wrapping, other screens, origin, insertion, reverse, synchronized output. */
const SEEN_MODES = new Set(['?6', '?7', '?25', '?47', '?1047', '?1049', '?5', '?2026', '4'])
/** Final letters of sequences that move, erase, scroll or colour. None of them makes a terminal answer. */
const DRAWING = new Set('ABCDEFGHIJKLMPSTXZ`abdefmr@g')
/** Single letters behind ESC that do: save and restore, lines up and down, tabs. */
const DRAWING_ESCAPES = new Set('78DEHM')
/** What a reset is replaced by: the same to the eye, and it leaves the viewer's own modes alone. */
const BLANK = '\x1b[m\x1b[r\x1b[H\x1b[2J'
// Characters that a terminal executes or that turn or hide the text around them.
const UNSAFE = /[\u0080-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g

type State = 'text' | 'escape' | 'charset' | 'csi' | 'string' | 'string-escape'

/**
 * Lets through of a program's output what draws, and nothing that acts: no question that the viewer's terminal would answer
 * as if it were typed, no clipboard (OSC 52), no title, no keyboard or mouse mode, no picture, no bell. What is not known to
 * draw is dropped. Takes text in pieces of any size.
 */
export class DrawOnly {
  #state: State = 'text'
  #held = ''

  /** The part of a piece that draws. */
  feed(text: string): string {
    let out = ''
    for (let at = 0; at < text.length; ) {
      if (this.#state === 'text') {
        const end = nextControl(text, at)
        if (end > at) {
          out += text.slice(at, end).replace(UNSAFE, '·')
          at = end
          continue
        }
      }
      out += this.#take(text[at] ?? '')
      at += 1
    }
    return out
  }

  #take(char: string): string {
    const code = char.charCodeAt(0)
    // Both end whatever was begun.
    if (code === 0x18 || code === 0x1a) return this.#to('text')
    switch (this.#state) {
      case 'text':
        if (code === 0x1b) return this.#to('escape')
        return '\b\t\n\v\f\r\x0e\x0f'.includes(char) ? char : ''
      case 'escape':
        return this.#escape(char)
      case 'charset': {
        const designated = `${this.#held}${char}`
        this.#to('text')
        // Plain letters and lines of boxes.
        return /^\x1b[()][AB0]$/.test(designated) ? designated : ''
      }
      case 'csi':
        return this.#csi(char, code)
      case 'string':
        if (code === 0x07) return this.#to('text')
        if (code === 0x1b) this.#state = 'string-escape'
        return ''
      case 'string-escape':
        if (char === '\\') return this.#to('text')
        // ESC ends the string, and begins what comes.
        this.#to('escape')
        return this.#escape(char)
    }
  }

  #escape(char: string): string {
    if (char === '[') {
      this.#state = 'csi'
      this.#held = '\x1b['
      return ''
    }
    if (']PX^_'.includes(char)) return this.#to('string')
    if (char >= ' ' && char <= '/') {
      this.#state = 'charset'
      this.#held = `\x1b${char}`
      return ''
    }
    if (char === '\x1b') return ''
    this.#to('text')
    if (char === 'c') return BLANK
    return DRAWING_ESCAPES.has(char) ? `\x1b${char}` : ''
  }

  #csi(char: string, code: number): string {
    if (code === 0x1b) return this.#to('escape')
    if (code < 0x20) return '\b\t\n\r'.includes(char) ? char : ''
    if (code > 0x7e) return this.#to('text')
    if (code < 0x40) {
      if (this.#held.length < MOST_SEQUENCE) this.#held += char
      return ''
    }
    const sequence = `${this.#held}${char}`
    this.#to('text')
    return sequence.length <= MOST_SEQUENCE && doesDraw(sequence) ? sequence : ''
  }

  #to(state: State): '' {
    this.#state = state
    this.#held = ''
    return ''
  }
}

function doesDraw(sequence: string): boolean {
  const body = sequence.slice(2, -1)
  const final = sequence.at(-1) ?? ''
  if (final === 'h' || final === 'l')
    return body.split(';').every((mode, at) => SEEN_MODES.has(at > 0 && body.startsWith('?') ? `?${mode}` : mode))
  // The shape of the cursor.
  if (final === 'q') return /^\d? $/.test(body)
  return DRAWING.has(final) && /^[\d;:]*$/.test(body)
}

function nextControl(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return at
  }
  return text.length
}
