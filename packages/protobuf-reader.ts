import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** Where a message or a field's content lies in a file. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One field of a message: its number, and its content where it has bytes, or else its number's value. */
export type Field =
  | { readonly number: number; readonly kind: 'bytes'; readonly span: Span }
  | { readonly number: number; readonly kind: 'varint'; readonly value: number }
  | { readonly number: number; readonly kind: 'fixed' }

const WINDOW_BYTES = 64 * 1024
/** Of a whole file: a graph of a hundred thousand operators has less. */
const MAX_FIELDS = 4_000_000

/**
 * Reads a file of protocol buffers (https://protobuf.dev/programming-guides/encoding/) field by field without holding it:
 * what is not asked for is passed over, however large it is. Every method throws `RangeError` for what is no such message.
 */
export class ProtobufReader {
  readonly #fd: number
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES)
  #windowStart = 0
  #windowEnd = 0
  #fieldCount = 0
  /** All of the file. */
  readonly whole: Span

  /** @throws what the system says; a link or anything but a file is not opened. */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stat = fstatSync(this.#fd)
    this.whole = { start: 0, end: stat.size }
    if (stat.isFile()) return
    this.close()
    throw new RangeError('it is not a file')
  }

  /** Give the file back. */
  close(): void {
    closeSync(this.#fd)
  }

  /** The fields of a message in their order. */
  *fields({ start, end }: Span): Generator<Field> {
    let at = start
    while (at < end) {
      this.#fieldCount += 1
      if (this.#fieldCount > MAX_FIELDS) throw new RangeError(`it has over ${MAX_FIELDS} fields`)
      const tag = this.#varint(at, end)
      const number = Math.floor(tag.value / 8)
      if (number < 1 || number > 536_870_911) throw new RangeError(`at byte ${at} there is no field`)
      at = tag.next
      const wire = tag.value % 8
      if (wire === 0) {
        const { value, next } = this.#varint(at, end)
        at = next
        yield { number, kind: 'varint', value }
      } else if (wire === 2) {
        const { value, next } = this.#varint(at, end)
        if (value > end - next) throw new RangeError(`the field at byte ${at} goes over its end`)
        at = next + value
        yield { number, kind: 'bytes', span: { start: next, end: at } }
      } else if (wire === 1 || wire === 5) {
        at += wire === 1 ? 8 : 4
        if (at > end) throw new RangeError(`the field at byte ${at} goes over its end`)
        yield { number, kind: 'fixed' }
      } else {
        throw new RangeError(`at byte ${at} there is a field of an unknown kind`)
      }
    }
  }

  /** A text field, at most `maxBytes` of it. */
  text({ start, end }: Span, maxBytes = 1024): string {
    if (end - start > maxBytes) throw new RangeError(`a text at byte ${start} is longer than ${maxBytes} bytes`)
    return this.bytes({ start, end }).toString('utf8')
  }

  /** A few bytes of the file. */
  bytes({ start, end }: Span): Buffer {
    if (start >= this.#windowStart && end <= this.#windowEnd) {
      return Buffer.from(this.#window.subarray(start - this.#windowStart, end - this.#windowStart))
    }
    const found = Buffer.allocUnsafe(end - start)
    let done = 0
    while (done < found.length) {
      const read = readSync(this.#fd, found, done, found.length - done, start + done)
      if (read === 0) throw new RangeError('it was cut off while it was read')
      done += read
    }
    return found
  }

  #varint(at: number, end: number): { value: number; next: number } {
    let value = 0
    let factor = 1
    for (let position = at; position < end && position < at + 10; position += 1) {
      const byte = this.#byte(position)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return { value, next: position + 1 }
      factor *= 128
    }
    throw new RangeError(`the number at byte ${at} does not end`)
  }

  #byte(at: number): number {
    if (at < this.#windowStart || at >= this.#windowEnd) {
      const read = readSync(this.#fd, this.#window, 0, WINDOW_BYTES, at)
      if (read === 0) throw new RangeError('it was cut off while it was read')
      this.#windowStart = at
      this.#windowEnd = at + read
    }
    return this.#window[at - this.#windowStart] as number
  }
}
