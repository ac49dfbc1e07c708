import { StringDecoder } from 'node:string_decoder'

const ESC = '\x1b'
const PASTE_BEGIN = '\x1b[200~'
const PASTE_END = '\x1b[201~'
/** Longest sequence waited for; anything longer is no key. */
const MAX_SEQUENCE = 64
/** Longest string of a terminal waited for. */
const MAX_STRING = 4096
/** How long the rest of a reply may take to come, ms. */
const REPLY_DELAY_MS = 1000

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
    if (this.held === '') return
    // A reply of the terminal that is on its way is no key whose rest never comes.
    const delayMs = isReply(this.held) ? REPLY_DELAY_MS : this.options.delayMs
    this.timer = setTimeout(() => this.expire(), delayMs)
  }

  /** Hand out what is held back, as it came. */
  release(): Buffer {
    const held = Buffer.from(this.held)
    this.clear()
    return held
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
    if (rest === ESC || (rest.length === 2 && isString(rest))) this.options.deliver(rest)
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
      else if (!isReport(sequence) && !isReply(sequence)) ready += sequence
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
  if (isString(text)) return stringLength(text)
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

/** Whether a text begins a string of the terminal, as it answers for its colours and its name: OSC, DCS, APC, PM, SOS. */
function isString(text: string): boolean {
  return text[0] === ESC && /[\]P_^X]/.test(text[1] ?? '')
}

/** Whether a text is such a string or its beginning, and no key with alt. */
function isReply(text: string): boolean {
  return text.length > 2 && isString(text)
}

/** Length of the string at the start of the text; 0 while its end is not there. */
function stringLength(text: string): number {
  const end = /\x07|\x1b\\/.exec(text)
  if (end !== null) return end.index + end[0].length
  return text.length > MAX_STRING ? text.length : 0
}

/** Whether a sequence tells of the mouse, the focus or the terminal itself, and is no key. */
function isReport(sequence: string): boolean {
  return /^\x1b\[(?:M|<[\d;]*[Mm]|\d+;\d+;\d+M|[IO]$|[?>][\d;]*|20[01]~|\d+;\d+R|[03]n$|[\d;]*t$)/.test(sequence)
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
