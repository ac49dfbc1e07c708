import { createHash } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** What waits to be written is behind from here on, bytes. */
const BEHIND_BYTES = 1024 * 1024

/** What became of a file. */
export interface WrittenFile {
  readonly bytes: number
  /** SHA-256 of them, hex. */
  readonly sha256: string
  /** Why it is not whole; null when it is. */
  readonly fault: string | null
  /** What texts that the disk refused stand for, bytes. */
  readonly lostBytes: number
}

/**
 * A new file of the owner's alone that is appended to without waiting. It is synced when it is finished. A disk that
 * refuses is told there, and what comes after it is dropped.
 */
export class RecordingFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  #waiting: string[] = []
  #waitingBytes = 0
  /** What the texts that wait stand for, bytes. */
  #waitingFor = 0
  #lostBytes = 0
  #bytes = 0
  #fault: string | null = null
  #writing: Promise<void> | null = null
  #caughtUp: () => void = () => undefined

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  /**
   * A new file that begins with a text. That is on the disk when this resolves: a disk that is full gives files that hold
   * nothing.
   * @throws EdgeError `RECORDING_FAILING` when there is no such file to be had
   */
  static async create(path: string, beginning: string): Promise<RecordingFile> {
    let created: RecordingFile | null = null
    try {
      await makeFolder(dirname(path), { mode: 0o700 })
      created = new RecordingFile(path, await open(path, 'wx', 0o600))
      await created.#begin(beginning)
      return created
    } catch (error) {
      if (created !== null) await created.#remove()
      throw new EdgeError('RECORDING_FAILING', {
        message: `the session cannot be recorded in ${path}: ${messageOf(error)}`,
        next: ['make room on the disk, or let the folder be writable'],
        cause: error,
      })
    }
  }

  /** Why nothing more is written; null while all is well. */
  get fault(): string | null {
    return this.#fault
  }

  /** More waits than should: whoever writes should wait for {@link onCaughtUp}. */
  get isBehind(): boolean {
    return this.#waitingBytes > BEHIND_BYTES
  }

  /** Hear when nothing waits any more; the last listener counts. */
  onCaughtUp(listener: () => void): void {
    this.#caughtUp = listener
  }

  /** `standsFor` counts as lost when the disk refuses the text, bytes. */
  append(text: string, standsFor = 0): void {
    if (this.#fault !== null) {
      this.#lostBytes += standsFor
      return
    }
    this.#waiting.push(text)
    this.#waitingFor += standsFor
    this.#waitingBytes += Buffer.byteLength(text)
    this.#writing ??= this.#writeAll()
  }

  /** Bring everything to the disk and close. Never rejects. */
  async finish(): Promise<WrittenFile> {
    await this.#writing
    try {
      await this.#handle.sync()
    } catch (error) {
      this.#fault ??= messageOf(error)
    }
    await this.#handle.close().catch(() => undefined)
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex'), fault: this.#fault, lostBytes: this.#lostBytes }
  }

  /** @throws Error when the disk refuses */
  async #begin(text: string): Promise<void> {
    this.append(text)
    await this.#writing
    if (this.#fault !== null) throw new Error(this.#fault)
    await this.#handle.sync()
  }

  async #remove(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
    await unlink(this.path).catch(() => undefined)
  }

  async #writeAll(): Promise<void> {
    // What comes in this turn is one write.
    await null
    while (this.#waiting.length > 0 && this.#fault === null) {
      const data = Buffer.from(this.#waiting.join(''))
      const standsFor = this.#waitingFor
      this.#waiting = []
      this.#waitingFor = 0
      await this.#write(data)
      this.#waitingBytes -= data.length
      if (this.#fault !== null) this.#lostBytes += standsFor + this.#waitingFor
    }
    if (this.#fault !== null) {
      this.#waiting = []
      this.#waitingFor = 0
      this.#waitingBytes = 0
    }
    this.#writing = null
    this.#caughtUp()
  }

  async #write(data: Buffer): Promise<void> {
    try {
      for (let at = 0; at < data.length; ) {
        const { bytesWritten } = await this.#handle.write(data, at)
        this.#hash.update(data.subarray(at, at + bytesWritten))
        this.#bytes += bytesWritten
        at += bytesWritten
      }
    } catch (error) {
      this.#fault = messageOf(error)
    }
  }
}
