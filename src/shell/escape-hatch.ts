const PASTE_BEGIN = '\x1b[200~'
const PASTE_END = '\x1b[201~'
const [TILDE, DOT, QUESTION, CR, LF, ESC] = [0x7e, 0x2e, 0x3f, 0x0d, 0x0a, 0x1b]

/** What typed bytes mean: what goes to the program, and what is for us. */
export interface HatchStep {
  readonly send: Buffer
  readonly wish: 'none' | 'leave' | 'help'
}

/**
 * The way out of a session whose program does not listen, as `ssh` has it: at the beginning of a line `~.` leaves, `~?` tells
 * so, `~~` types one `~`. Inside a bracketed paste it is text.
 */
export class EscapeHatch {
  #state: 'line-start' | 'tilde' | 'within' = 'line-start'
  #pasting = false
  #mark = ''

  /** Take what was typed. What comes behind `~.` is dropped. */
  feed(chunk: Buffer): HatchStep {
    // Nearly every key: nothing in it, and nothing is held back.
    if (this.#state === 'within' && this.#mark === '' && chunk.length === 1 && !isSpecial(chunk[0])) {
      return { send: chunk, wish: 'none' }
    }
    const send: number[] = []
    let wish: HatchStep['wish'] = 'none'
    for (const byte of chunk) {
      if (this.#state === 'tilde') {
        this.#state = 'within'
        if (byte === DOT) return { send: Buffer.from(send), wish: 'leave' }
        if (byte === QUESTION) {
          wish = 'help'
          this.#state = 'line-start'
          continue
        }
        send.push(TILDE)
        if (byte === TILDE) continue
      } else if (byte === TILDE && this.#state === 'line-start' && !this.#pasting) {
        this.#state = 'tilde'
        continue
      }
      this.#followPaste(byte)
      send.push(byte)
      this.#state = byte === CR || byte === LF ? 'line-start' : 'within'
    }
    return { send: Buffer.from(send), wish }
  }

  #followPaste(byte: number): void {
    const mark = byte === ESC ? '\x1b' : this.#mark === '' ? '' : this.#mark + String.fromCharCode(byte)
    this.#mark = PASTE_BEGIN.startsWith(mark) || PASTE_END.startsWith(mark) ? mark : ''
    if (mark === PASTE_BEGIN) this.#pasting = true
    if (mark === PASTE_END) this.#pasting = false
    if (mark === PASTE_BEGIN || mark === PASTE_END) this.#mark = ''
  }
}

function isSpecial(byte: number | undefined): boolean {
  return byte === CR || byte === LF || byte === ESC
}
