import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Disk } from './disk.ts'

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id'

/**
 * Says on the disk that answers run ahead of the sync, and since which start of the machine. What a process wrote survives
 * its death; only when the machine itself went down meanwhile may answered records be gone, of which the log cannot tell.
 */
export class UnsyncedMark {
  readonly #path: string
  readonly #disk: Disk
  readonly #bootId: string
  /** Whether the machine went down since answers ran ahead of the sync. */
  readonly tailIsUnsure: boolean
  #found: string | null
  #isForGood = false

  /** @param bootId name of this start of the machine; one of its own where the system tells none, which is on the safe side */
  constructor(path: string, disk: Disk, bootId: string = readBootId()) {
    this.#path = path
    this.#disk = disk
    this.#bootId = bootId
    this.#found = readMark(path)
    this.tailIsUnsure = this.isSet && this.#found !== bootId
  }

  get isSet(): boolean {
    return this.#found !== null
  }

  /** Leave word before the first answer that is not synced; false when the disk refuses. */
  set(): boolean {
    try {
      if (this.#found !== this.#bootId) this.#write()
      return true
    } catch {
      return false
    }
  }

  /** The disk would not sync what was answered, and may say otherwise the next time: this run takes no word back. */
  stays(): void {
    this.#isForGood = true
  }

  /** All that was answered is synced. @throws what the disk says. */
  clear(): void {
    if (!this.isSet || this.#isForGood) return
    this.#disk.unlink(this.#path)
    this.#disk.syncFolder(dirname(this.#path))
    this.#found = null
  }

  #write(): void {
    const fd = this.isSet ? this.#disk.open(this.#path) : this.#disk.create(this.#path)
    // Half of it names no start of the machine either.
    this.#found = ''
    try {
      const content = Buffer.from(this.#bootId)
      this.#disk.write(fd, [content], 0)
      this.#disk.truncate(fd, content.length)
      this.#disk.sync(fd)
    } finally {
      this.#disk.close(fd)
    }
    this.#disk.syncFolder(dirname(this.#path))
    this.#found = this.#bootId
  }
}

function readMark(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function readBootId(): string {
  try {
    return readFileSync(BOOT_ID_FILE, 'utf8').trim()
  } catch {
    return randomBytes(16).toString('hex')
  }
}
