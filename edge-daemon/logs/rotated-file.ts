import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'

/** Where lines go and how much of them is kept. */
export interface RotatedFileOptions {
  readonly dir: string
  /** The current file's name; older ones get `.1` (newest) to `.N`. */
  readonly name: string
  /** The current file is rotated before it would grow over this. */
  readonly maxBytes: number
  /** Rotated files that are kept besides the current one. */
  readonly files: number
}

/**
 * An append-only file of bounded size. Everything is synchronous, so that a line is in the kernel's hands when `write`
 * returns and nothing can come between a rename and the next open.
 */
export class RotatedFile {
  readonly #options: RotatedFileOptions
  readonly #path: string
  #descriptor: number | null = null
  #sizeBytes = 0

  constructor(options: RotatedFileOptions) {
    this.#options = options
    this.#path = join(options.dir, options.name)
  }

  /** Append text. @throws the file system's error (ENOSPC, EACCES, …); the next write opens the file again. */
  write(text: string): void {
    const bytes = Buffer.from(text)
    try {
      let descriptor = this.#descriptor ?? this.#open()
      if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#options.maxBytes) {
        this.close()
        this.#rotate()
        descriptor = this.#open()
      }
      this.#append(descriptor, bytes)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Let go of the file; a later write opens it again. Never throws. */
  close(): void {
    if (this.#descriptor === null) return
    const descriptor = this.#descriptor
    this.#descriptor = null
    try {
      closeSync(descriptor)
    } catch {
      // What a close reports late was for lines that are already given up; there is no better place to tell it.
    }
  }

  #append(descriptor: number, bytes: Buffer): void {
    try {
      for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset)
    } catch (error) {
      // A disk that filled up in the middle of a line must not leave half of it: every line is one JSON object.
      ftruncateSync(descriptor, this.#sizeBytes)
      throw error
    }
    this.#sizeBytes += bytes.length
  }

  #open(): number {
    makeFolderSync(this.#options.dir)
    const descriptor = openSync(this.#path, 'a', 0o640)
    this.#descriptor = descriptor
    this.#sizeBytes = fstatSync(descriptor).size
    return descriptor
  }

  #rotate(): void {
    const numbered = (n: number): string => `${this.#path}.${n}`
    rmSync(numbered(this.#options.files), { force: true })
    for (let n = this.#options.files - 1; n >= 1; n -= 1) {
      if (existsSync(numbered(n))) renameSync(numbered(n), numbered(n + 1))
    }
    renameSync(this.#path, numbered(1))
  }
}
