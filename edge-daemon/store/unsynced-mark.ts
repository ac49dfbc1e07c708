import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  #isSet: boolean

  /** @param bootId name of this start of the machine; one of its own where the system tells none, which is on the safe side */
  constructor(path: string, disk: Disk, bootId: string = readBootId()) {
    this.#path = path
    this.#disk = disk
    this.#bootId = bootId
    const found = readMark(path)
    this.#isSet = found !== null
    this.tailIsUnsure = found !== null && found !== bootId
  }

  get isSet(): boolean {
    return this.#isSet
  }

  /** Leave word before the first answer that is not synced. @throws what the disk says. */
  set(): void {
    writeFileSync(this.#path, this.#bootId, { mode: 0o600, flush: true })
    this.#disk.syncFolder(dirname(this.#path))
    this.#isSet = true
  }

  /** All that was answered is synced. @throws what the disk says. */
  clear(): void {
    if (!this.#isSet) return
    rmSync(this.#path, { force: true })
    this.#disk.syncFolder(dirname(this.#path))
    this.#isSet = false
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
