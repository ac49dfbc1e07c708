import type { LinearRegex } from '../../regex/linear-regex.ts'
import { PRIVATE_KEY_BEGIN, PRIVATE_KEY_END, SECRET_HINT, SECRET_PATTERNS } from './secret-patterns.ts'

/** A piece of output and when it came, ms. */
export interface OutputPiece {
  readonly atMs: number
  readonly text: string
}

/** A line longer than this is settled without its end; so much of it is still looked at with what follows. */
const MOST_HELD_CHARS = 8192
const OVERLAP_CHARS = 2048
/** A private key has fewer lines. */
const MOST_KEY_LINES = 200
/** Most hits of one of the operator's own patterns in a line. */
const MOST_HITS = 1000
const HIDDEN = '*'
// Sequences of a terminal and control characters; what lies between two of them belongs together all the same.
const INVISIBLE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[ -/]*[0-~])|[\x00-\x1f\x7f]/g

/**
 * Hides what looks like a secret in output that comes in pieces of any size (best effort, {@link SECRET_PATTERNS}): each
 * character becomes `*`, so that columns stay. Pieces of a line are held until the line is whole, then given on with
 * their own times.
 */
export class Redactor {
  readonly #own: readonly LinearRegex[]
  #held: OutputPiece[] = []
  #heldChars = 0
  #keyLines = 0

  /** @param own further patterns; the whole match is hidden */
  constructor(own: readonly LinearRegex[] = []) {
    this.#own = own
  }

  /** Take a piece; the answer is what is settled. */
  feed(piece: OutputPiece): OutputPiece[] {
    this.#held.push(piece)
    this.#heldChars += piece.text.length
    const end = piece.text.lastIndexOf('\n') + 1
    if (end > 0) return this.#settle(this.#heldChars - piece.text.length + end)
    return this.#heldChars > MOST_HELD_CHARS ? this.#settle(this.#heldChars - OVERLAP_CHARS) : []
  }

  /** Everything that is still held. */
  flush(): OutputPiece[] {
    return this.#settle(this.#heldChars)
  }

  /** Give on so many characters. Within a line what stays is looked through with them, as a secret may lie across. */
  #settle(count: number): OutputPiece[] {
    const raw = this.#held.map(({ text }) => text).join('')
    const isWithinLine = count < raw.length && raw[count - 1] !== '\n'
    const shown = isWithinLine ? this.#hide(raw) : this.#hide(raw.slice(0, count)) + raw.slice(count)
    const settled: OutputPiece[] = []
    const kept: OutputPiece[] = []
    let at = 0
    for (const { atMs, text } of this.#held) {
      const end = at + text.length
      const cut = Math.max(at, Math.min(end, count))
      if (cut > at) settled.push({ atMs, text: shown.slice(at, cut) })
      if (end > cut) kept.push({ atMs, text: shown.slice(cut, end) })
      at = end
    }
    this.#held = kept
    this.#heldChars = raw.length - count
    return settled
  }

  #hide(raw: string): string {
    if (this.#own.length === 0 && this.#keyLines === 0 && !SECRET_HINT.test(raw.replace(INVISIBLE, ''))) return raw
    let out = ''
    for (let at = 0; at < raw.length; ) {
      const newline = raw.indexOf('\n', at)
      const end = newline < 0 ? raw.length : newline + 1
      out += this.#hideInLine(raw.slice(at, end))
      at = end
    }
    return out
  }

  #hideInLine(raw: string): string {
    const { text, places } = visibleOf(raw)
    const hits: (readonly [number, number])[] = []
    const begins = this.#keyLines > 0 || PRIVATE_KEY_BEGIN.test(text)
    if (begins) {
      hits.push([0, text.length])
      const ends = PRIVATE_KEY_END.test(text) || this.#keyLines >= MOST_KEY_LINES
      this.#keyLines = ends ? 0 : this.#keyLines + 1
    }
    for (const pattern of SECRET_PATTERNS) {
      for (const match of text.matchAll(pattern)) {
        const hit = match.indices?.[1]
        if (hit !== undefined) hits.push(hit)
      }
    }
    for (const regex of this.#own) hits.push(...rangesIn(regex, text))
    if (hits.length === 0) return raw
    const chars = raw.split('')
    for (const [from, to] of hits) {
      for (let index = from; index < to; index += 1) {
        const place = places[index]
        if (place !== undefined) chars[place] = HIDDEN
      }
    }
    return chars.join('')
  }
}

/** A text that is whole, such as a command, with what looks like a secret hidden in it. */
export function withoutSecrets(text: string, own: readonly LinearRegex[] = []): string {
  const redactor = new Redactor(own)
  const pieces = [...redactor.feed({ atMs: 0, text }), ...redactor.flush()]
  return pieces.map((piece) => piece.text).join('')
}

/** Where a pattern is found in a text of any length, a window after the other. */
function rangesIn(regex: LinearRegex, text: string): (readonly [number, number])[] {
  const hits: (readonly [number, number])[] = []
  for (let start = 0; start < text.length; start += MOST_HELD_CHARS) {
    const window = text.slice(start, start + MOST_HELD_CHARS + OVERLAP_CHARS)
    for (const { from, to } of regex.ranges(window, MOST_HITS)) hits.push([start + from, start + to])
  }
  return hits
}

/** What a person sees of a text, and where each character of that stands in it. */
function visibleOf(raw: string): { readonly text: string; readonly places: readonly number[] } {
  let text = ''
  const places: number[] = []
  let at = 0
  const take = (end: number): void => {
    text += raw.slice(at, end)
    for (let index = at; index < end; index += 1) places.push(index)
  }
  for (const match of raw.matchAll(INVISIBLE)) {
    take(match.index)
    at = match.index + match[0].length
  }
  take(raw.length)
  return { text, places }
}
