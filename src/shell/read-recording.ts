import { createReadStream } from 'node:fs'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { type CastEvent, type ReadHeader, readEvent, readHeader } from './asciicast.ts'

/** Longest line that is taken; the longest that we write is far below it. */
const MOST_LINE_CHARS = 4 * 1024 * 1024

/** A recording as it is read. */
export interface ReadRecording {
  readonly header: ReadHeader
  /** Its events, as far as it is whole: one that was cut off ends there. */
  readonly events: AsyncIterable<CastEvent>
}

/**
 * Read a recording, a line at a time.
 * @throws EdgeError `RECORDING_UNUSABLE` when it cannot be read or is none
 */
export async function readRecording(file: string): Promise<ReadRecording> {
  const lines = linesOf(file)
  let first: IteratorResult<string>
  try {
    first = await lines.next()
  } catch (error) {
    throw unusable(`${file} cannot be read: ${messageOf(error)}`, error)
  }
  const header = first.done === true ? null : readHeader(first.value)
  if (header === null) {
    await lines.return(undefined)
    throw unusable(`${file} is no recording of a session (asciicast version 2)`)
  }
  return { header, events: eventsOf(lines) }
}

/** Lines without their ends. A line longer than any of a recording ends it: no file fills the memory. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, { encoding: 'utf8' })
  let rest = ''
  for await (const chunk of input as AsyncIterable<string>) {
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      yield rest + chunk.slice(from, end)
      rest = ''
      from = end + 1
    }
    rest += chunk.slice(from)
    if (rest.length > MOST_LINE_CHARS) return
  }
  if (rest !== '') yield rest
}

async function* eventsOf(lines: AsyncGenerator<string>): AsyncGenerator<CastEvent> {
  let lastMs = 0
  for await (const line of lines) {
    const event = line.length > MOST_LINE_CHARS ? null : readEvent(line)
    if (event === null) return
    // A clock that goes back would make a player wait for nothing.
    lastMs = Math.max(lastMs, event.atMs)
    yield { ...event, atMs: lastMs }
  }
}

function unusable(message: string, cause?: unknown): EdgeError {
  return new EdgeError('RECORDING_UNUSABLE', {
    message,
    next: ['see what there is: edgedeck play --list'],
    ...(cause === undefined ? {} : { cause }),
  })
}
