import { chmodSync, closeSync, lstatSync, openSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Disk, refusalOf } from './disk.ts'
import { asideEntry, type LedgerEntry } from './ledger.ts'

/** Bytes of a file. */
interface Stretch {
  readonly offset: number
  readonly bytes: number
}

/**
 * Where what is damaged or in the way is set aside, so that it never stops a start and can still be looked at. What it
 * took this time is told by {@link entries}.
 */
export class Quarantine {
  readonly #folder: string
  readonly #disk: Disk
  readonly #entries: LedgerEntry[] = []

  /** @param dir folder of the store */
  constructor(dir: string, disk: Disk) {
    this.#folder = join(dir, 'quarantine')
    this.#disk = disk
  }

  /** For the ledger: whole files that were set aside. */
  get entries(): readonly LedgerEntry[] {
    return this.#entries
  }

  /** Make sure that a path is a folder: whatever else has its name is set aside. Throws what the disk says. */
  folder(path: string): void {
    if (!isKind(path, 'folder')) this.#move(path, 'it stands where a folder should be')
    this.#disk.makeFolder(path)
    madeUsable(path, 0o700)
  }

  /** Make sure that a path is a usable file or nothing: whatever else has its name is set aside. Throws what the disk says. */
  file(path: string): void {
    if (isKind(path, 'file')) madeUsable(path, 0o600)
    else this.#move(path, 'it stands where a file should be')
  }

  /** Copy damaged bytes of a file, once; false when they are there already. A full disk keeps them in place only. */
  copy(path: string, { offset, bytes }: Stretch): boolean {
    const target = join(this.#folder, `${basename(path)}-${offset}-${bytes}.bad`)
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false
    try {
      this.#makeFolder()
      const content = Buffer.alloc(bytes)
      const from = openSync(path, 'r')
      try {
        readSync(from, content, 0, bytes, offset)
      } finally {
        closeSync(from)
      }
      const to = this.#disk.create(target)
      try {
        this.#disk.write(to, [content], 0)
      } finally {
        this.#disk.close(to)
      }
    } catch {
      return true
    }
    return true
  }

  #move(path: string, reason: string): void {
    this.#makeFolder()
    this.#disk.rename(path, freeName(join(this.#folder, basename(path))))
    this.#disk.syncFolder(dirname(path))
    this.#entries.push(asideEntry(basename(path), reason))
  }

  #makeFolder(): void {
    if (!isKind(this.#folder, 'folder')) this.#disk.rename(this.#folder, freeName(this.#folder))
    this.#disk.makeFolder(this.#folder)
  }
}

/** Whether a path is of a kind or nothing at all. */
function isKind(path: string, kind: 'file' | 'folder'): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat === undefined || (kind === 'file' ? stat.isFile() : stat.isDirectory())
}

/** Give the owner back what the mode of a file or folder took; whoever does not own it hears of it when opening it. */
function madeUsable(path: string, mode: number): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || (stat.mode & mode) === mode) return
  try {
    chmodSync(path, mode)
  } catch (error) {
    if (refusalOf(error) !== 'EPERM') throw error
  }
}

function freeName(path: string): string {
  for (let n = 0; ; n += 1) {
    const name = `${path}.${n}.bad`
    if (lstatSync(name, { throwIfNoEntry: false }) === undefined) return name
  }
}
