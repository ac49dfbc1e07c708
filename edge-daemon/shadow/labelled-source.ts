import { createReadStream, type ReadStream } from 'node:fs'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import {
  decodeLabelledHead,
  decodeLabelledPicture,
  LABELLED_FILE,
  type LabelledLine,
  MAX_LABELLED_LINE_CHARS,
} from '../../protocol/labelled.ts'
import type { Sample, SampleSource } from './source.ts'

const NEWLINE = 10

/** The pictures of a labelled set with what they show, read as they are wanted; the folder's package was verified. */
export class LabelledSource implements SampleSource {
  readonly #file: string
  readonly #stream: ReadStream
  readonly #lines: AsyncGenerator<string>
  #line = 0
  #classes: ReadonlySet<string> | null = null
  #isClosed = false

  constructor(folder: string) {
    this.#file = join(folder, LABELLED_FILE)
    this.#stream = createReadStream(this.#file)
    this.#lines = boundedLines(this.#stream)
  }

  readonly dropped = 0

  /** @throws EdgeError `PACKAGE_INVALID` with the line that is not as it should be, or when the file cannot be read. */
  async next(): Promise<Sample | null> {
    if (this.#classes === null) {
      const head = await this.#read(decodeLabelledHead)
      if (head === null) return null
      this.#classes = new Set(head.classes)
    }
    const classes = this.#classes
    const read = await this.#read((line) => decodeLabelledPicture(line, classes))
    return read === null ? null : { picture: Buffer.from(read.picture, 'base64'), label: read.label }
  }

  close(): void {
    this.#isClosed = true
    this.#stream.destroy()
  }

  async #read<T>(decode: (line: string) => LabelledLine<T>): Promise<T | null> {
    if (this.#isClosed) return null
    let line: IteratorResult<string>
    try {
      line = await this.#lines.next()
    } catch (error) {
      if (this.#isClosed) return null
      throw this.#invalid(`cannot be read: ${messageOf(error)}`)
    }
    if (line.done === true) return null
    this.#line += 1
    const read = decode(line.value)
    if (!read.ok) throw this.#invalid(read.msg)
    return read.value
  }

  #invalid(what: string): EdgeError {
    return new EdgeError('PACKAGE_INVALID', {
      message: `line ${this.#line} of ${this.#file} ${what}`,
      next: ['make the labelled set again with edgedeck model pack'],
    })
  }
}

/** Lines as they are wanted, none longer than allowed. */
async function* boundedLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)]).toString()
      parts = []
      bytes = 0
      from = end + 1
    }
    bytes += chunk.length - from
    if (bytes > MAX_LABELLED_LINE_CHARS) throw new RangeError('a line is too long')
    parts.push(chunk.subarray(from))
  }
  if (bytes > 0) yield Buffer.concat(parts).toString()
}
