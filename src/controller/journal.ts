import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'

const LINE_END = 10
const READ_BYTES = 1024 * 1024
/** Longest line: an append of one is not torn apart by another process that appends too. */
const MAX_LINE_BYTES = 4096

/** Follows a file of JSON lines that others append to. A line that was torn by a death is counted and passed over. */
export class JournalReader<Entry> {
  readonly #file: string
  readonly #schema: z.ZodType<Entry>
  readonly #onEntry: (entry: Entry) => void
  #fd: number | null = null
  #offset = 0
  #rest: Buffer = Buffer.alloc(0)
  #badLines = 0

  constructor(file: string, schema: z.ZodType<Entry>, onEntry: (entry: Entry) => void) {
    this.#file = file
    this.#schema = schema
    this.#onEntry = onEntry
  }

  /** Lines that are no entries: torn, or of a later version. */
  get badLines(): number {
    return this.#badLines
  }

  /** Read what was appended since the last time; all at the first one. @throws as the file system does. */
  follow(): void {
    this.#fd ??= openSync(this.#file, 'r')
    const chunk = Buffer.alloc(Math.min(READ_BYTES, Math.max(0, fstatSync(this.#fd).size - this.#offset)))
    for (let read = chunk.length; read > 0 && fstatSync(this.#fd).size > this.#offset; ) {
      read = readSync(this.#fd, chunk, 0, chunk.length, this.#offset)
      this.#offset += read
      this.#take(chunk.subarray(0, read))
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  #take(bytes: Buffer): void {
    const text = Buffer.concat([this.#rest, bytes])
    let start = 0
    for (let end = text.indexOf(LINE_END); end >= 0; end = text.indexOf(LINE_END, start)) {
      this.#line(text.subarray(start, end).toString('utf8'))
      start = end + 1
    }
    this.#rest = Buffer.from(text.subarray(start))
    if (this.#rest.length > MAX_LINE_BYTES) this.#rest = this.#rest.subarray(0, MAX_LINE_BYTES)
  }

  #line(line: string): void {
    if (line === '') return
    const entry = this.#schema.safeParse(parse(line))
    if (entry.success) this.#onEntry(entry.data)
    else this.#badLines += 1
  }
}

/**
 * A file of JSON lines that several processes append to and this one follows: what was appended is on the disk when
 * {@link append} resolves. What gathers while the disk is busy is written and synced together. Every append begins with a
 * line end, so that a line torn before it spoils no other.
 */
export class Journal<Entry> {
  readonly #file: string
  readonly #reader: JournalReader<Entry>
  #writer: FileHandle | null = null
  #waiting: { line: string; done: PromiseWithResolvers<void> }[] = []
  #writing: Promise<void> | null = null

  constructor(file: string, schema: z.ZodType<Entry>, onEntry: (entry: Entry) => void) {
    this.#file = file
    this.#reader = new JournalReader(file, schema, onEntry)
  }

  /** @see JournalReader.badLines */
  get badLines(): number {
    return this.#reader.badLines
  }

  /** Open or make the file and read what it holds. @throws as the file system does. */
  async open(): Promise<void> {
    makeFile(this.#file)
    this.#reader.follow()
    this.#writer = await open(this.#file, 'a')
  }

  /** Read what was appended since, by whomever, also by this process: entries may be seen twice. */
  follow(): void {
    this.#reader.follow()
  }

  /** Write an entry and wait until the disk has it. @throws as the file system does; nothing is promised then. */
  append(entry: Entry): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ line: lineOf(entry), done })
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null
    })
    return done.promise
  }

  /** Wait until the disk has everything that was appended so far, or refused it. */
  async settled(): Promise<void> {
    await this.#writing
  }

  /** Finish what is being written and close the file. */
  async close(): Promise<void> {
    await this.settled()
    this.#reader.close()
    await this.#writer?.close()
    this.#writer = null
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0)
      try {
        if (this.#writer === null) throw new Error(`${this.#file} is closed`)
        for (const { line } of batch) await this.#writer.write(line)
        await this.#writer.datasync()
        for (const { done } of batch) done.resolve()
      } catch (error) {
        for (const { done } of batch) done.reject(error)
      }
    }
  }
}

/** Append one entry to the journal of a process that may be running, and wait until the disk has it. */
export function appendEntry(file: string, entry: unknown): void {
  makeFile(file)
  const fd = openSync(file, 'a')
  try {
    writeSync(fd, lineOf(entry))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function lineOf(entry: unknown): string {
  const line = `\n${JSON.stringify(entry)}\n`
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) throw new RangeError('the entry is too long for a line of a journal')
  return line
}

/** Make the file for its owner alone; the superuser makes it for whom the folder belongs to. */
function makeFile(file: string): void {
  let fd: number
  try {
    fd = openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw error
  }
  try {
    const owner = statSync(dirname(file))
    if (process.getuid?.() === 0 && owner.uid !== 0) fchownSync(fd, owner.uid, owner.gid)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}
