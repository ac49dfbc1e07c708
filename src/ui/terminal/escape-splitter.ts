import { StringDecoder } from 'node:string_decoder'

const ESC = '\x1b'
const PASTE_BEGIN = '\x1b[200~'
const PASTE_END = '\x1b[201~'
/** Longest sequence waited for; anything longer is no key. */
const MAX_SEQUENCE = 64

/** How a splitter is made. */
export interface EscapeSplitterOptions {
  /** How long a lone ESC or half a sequence waits for its rest, ms. */
  readonly delayMs: number
  /** Takes whole keys: text without reports and paste marks, sequences never cut. */
  readonly deliver: (text: string) => void
}

/**
 * Cuts terminal input into whole keys. Holds back half a UTF-8 character and half an escape sequence until the rest is
 * there or the delay is over; drops mouse reports (X10, SGR, urxvt), focus reports and paste marks, and makes a paste
 * plain text.
 */
export class EscapeSplitter {
  private readonly options: EscapeSplitterOptions
  private decoder = new StringDecoder('utf8')
  private held = ''
  private pasting = false
  private timer: NodeJS.Timeout | null = null

  constructor(options: EscapeSplitterOptions) {
    this.options = options
  }

  /** Take what the terminal sent. */
  feed(chunk: Buffer): void {
    this.stopTimer()
    this.held += this.decoder.write(chunk)
    const ready = this.take()
    if (ready !== '') this.options.deliver(ready)
    if (this.held !== '') this.timer = setTimeout(() => this.expire(), this.options.delayMs)
  }

  /** Forget what is held back. */
  clear(): void {
    this.stopTimer()
    this.decoder = new StringDecoder('utf8')
    this.held = ''
    this.pasting = false
  }

  private expire(): void {
    this.timer = null
    const rest = this.held
    this.held = ''
    // A lone ESC is the key; half a sequence that never became whole is noise, except a letter after ESC (alt).
    if (rest === ESC) this.options.deliver(ESC)
    else if (this.pasting && rest !== '') this.options.deliver(plain(rest))
  }

  private take(): string {
    let ready = ''
    while (this.held !== '') {
      if (this.pasting) {
        const end = this.held.indexOf(PASTE_END)
        if (end < 0) {
          const keep = heldBackOf(this.held, PASTE_END)
          ready += plain(this.held.slice(0, this.held.length - keep))
          this.held = this.held.slice(this.held.length - keep)
          return ready
        }
        ready += plain(this.held.slice(0, end))
        this.held = this.held.slice(end + PASTE_END.length)
        this.pasting = false
        continue
      }
      const at = this.held.indexOf(ESC)
      if (at !== 0) {
        const end = at < 0 ? this.held.length : at
        ready += this.held.slice(0, end)
        this.held = this.held.slice(end)
        continue
      }
      const length = sequenceLength(this.held)
      if (length === 0) return ready
      const sequence = this.held.slice(0, length)
      this.held = this.held.slice(length)
      if (sequence === PASTE_BEGIN) this.pasting = true
      else if (!isReport(sequence)) ready += sequence
    }
    return ready
  }

  private stopTimer(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
  }
}

/** Length of the escape sequence at the start of the text; 0 while it is not whole. */
function sequenceLength(text: string): number {
  const kind = text[1]
  if (kind === undefined) return 0
  if (kind === 'O') return text.length >= 3 ? 3 : 0
  // ESC ESC: the first is a key of its own.
  if (kind === ESC) return 1
  if (kind !== '[') return 2
  if (text.startsWith('\x1b[M')) return text.length >= 6 ? 6 : 0
  // Function keys of the Linux console: ESC [ [ A.
  const from = text[2] === '[' ? 3 : 2
  for (let index = from; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code >= 0x40 && code <= 0x7e) return index + 1
    if (code < 0x20 || code > 0x7e || index > MAX_SEQUENCE) return index
  }
  return 0
}

/** Whether a sequence tells of the mouse, the focus or the terminal itself, and is no key. */
function isReport(sequence: string): boolean {
  return /^\x1b\[(?:M|<[\d;]*[Mm]|\d+;\d+;\d+M|[IO]$|[?>][\d;]*|20[01]~|\d+;\d+R)/.test(sequence)
}

/** How many characters at the end may be the beginning of the mark. */
function heldBackOf(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (mark.startsWith(text.slice(text.length - length))) return length
  }
  return 0
}

/** A paste as plain text: line ends and tabs become spaces, other control characters go. */
function plain(text: string): string {
  return text.replace(/[\r\n\t]+/g, ' ').replace(/[\x00-\x1f\x7f]/g, '')
}
