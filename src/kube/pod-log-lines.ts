import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** A line of a container with the time that its runtime gave it. */
export interface StampedLine {
  /** RFC 3339 as it came, to the nanosecond; empty where there was none. */
  readonly stamp: string
  /** Unix ms; null where there was no time. */
  readonly atMs: number | null
  /** As it was written, not made safe. */
  readonly text: string
  /** Characters that were cut off. */
  readonly cutChars: number
}

/** Longest line that is held; what is over it is counted. */
export const MAX_LINE_CHARS = 64 * 1024

const STAMPED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?/

/** The lines of a log that was asked for with timestamps. A last line without an end is given too. */
export async function* linesOf(stream: Readable): AsyncGenerator<StampedLine> {
  const decoder = new StringDecoder('utf8')
  let held = ''
  let cutChars = 0
  const take = (): StampedLine => {
    const line = readStamped(held, cutChars)
    held = ''
    cutChars = 0
    return line
  }
  const hold = (text: string): void => {
    const room = MAX_LINE_CHARS - held.length
    held += text.slice(0, room)
    cutChars += Math.max(0, text.length - room)
  }
  for await (const chunk of stream) {
    const text = decoder.write(chunk as Buffer)
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      hold(text.slice(from, end))
      yield take()
      from = end + 1
    }
    hold(text.slice(from))
  }
  hold(decoder.end())
  if (held !== '') yield take()
}

/** A line as an API server gives it: a time, a blank, what was written. */
export function readStamped(line: string, cutChars = 0): StampedLine {
  const found = STAMPED.exec(line)
  const [whole = '', stamp = ''] = found ?? []
  const atMs = stamp === '' ? null : Date.parse(stamp)
  return { stamp, atMs, text: line.slice(whole.length).replace(/\r$/, ''), cutChars }
}
