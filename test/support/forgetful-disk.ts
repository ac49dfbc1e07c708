import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Disk, nodeDisk } from '../../edge-daemon/store/disk.ts'

const SECTOR_BYTES = 512

/** A file, whatever its names. */
interface Inode {
  /** Bytes that are surely on the disk. */
  durable: Buffer
}

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }

/**
 * A disk with a cache that a power cut empties. What was not synced is then there or not, sector by sector; what was not
 * synced of a folder is there or not, entry by entry (a rename as a whole). Whoever wants to keep something has to sync it.
 */
export class ForgetfulDisk implements Disk {
  readonly #inodes = new Map<string, Inode>()
  readonly #open = new Map<number, Inode>()
  #durableNames = new Map<string, Inode>()
  #nameChanges: NameChange[] = []
  #changes = 0
  /** Changes that it still makes; then it makes none, as if the power had gone. */
  changesLeft = Number.POSITIVE_INFINITY

  /** Changes that were asked for since the start. */
  get changes(): number {
    return this.#changes
  }

  create(path: string): number {
    this.#change()
    const fd = nodeDisk.create(path)
    const inode = { durable: Buffer.alloc(0) }
    this.#inodes.set(path, inode)
    this.#open.set(fd, inode)
    this.#nameChanges.push({ kind: 'link', path, inode })
    return fd
  }

  open(path: string): number {
    const fd = nodeDisk.open(path)
    const inode = this.#inodes.get(path)
    if (inode === undefined) throw new Error(`${path} did not come by this disk`)
    this.#open.set(fd, inode)
    return fd
  }

  write(fd: number, buffers: readonly Buffer[], position: number): void {
    this.#change()
    nodeDisk.write(fd, buffers, position)
  }

  sync(fd: number): void {
    this.#change()
    const inode = this.#open.get(fd)
    if (inode === undefined) throw new Error('this descriptor is not open')
    inode.durable = readFileSync(`/proc/self/fd/${fd}`)
  }

  truncate(fd: number, sizeBytes: number): void {
    this.#change()
    nodeDisk.truncate(fd, sizeBytes)
  }

  close(fd: number): void {
    this.#open.delete(fd)
    nodeDisk.close(fd)
  }

  unlink(path: string): void {
    this.#change()
    nodeDisk.unlink(path)
    this.#inodes.delete(path)
    this.#nameChanges.push({ kind: 'unlink', path })
  }

  rename(from: string, to: string): void {
    this.#change()
    nodeDisk.rename(from, to)
    const inode = this.#inodes.get(from)
    if (inode === undefined) throw new Error(`${from} did not come by this disk`)
    this.#inodes.delete(from)
    this.#inodes.set(to, inode)
    this.#nameChanges.push({ kind: 'rename', from, to, inode })
  }

  makeFolder(path: string): void {
    nodeDisk.makeFolder(path)
  }

  syncFolder(path: string): void {
    this.#change()
    const isHere = (change: NameChange): boolean => dirname(change.kind === 'rename' ? change.to : change.path) === path
    for (const change of this.#nameChanges) if (isHere(change)) apply(this.#durableNames, change)
    this.#nameChanges = this.#nameChanges.filter((change) => !isHere(change))
  }

  freeBytes(path: string): number {
    return nodeDisk.freeBytes(path)
  }

  /**
   * The power goes. Call `afterwards` once nobody has the files open any more: then the folder is as the disk has it.
   * @param flip true or false, at random
   */
  cut(dir: string, flip: () => boolean): { afterwards(): void } {
    const survivors = new Map<Inode, Buffer>()
    for (const [path, inode] of this.#inodes) survivors.set(inode, torn(inode.durable, readFileSync(path), flip))
    const names = new Map(this.#durableNames)
    for (const change of this.#nameChanges) if (flip()) apply(names, change)
    this.changesLeft = 0
    return {
      afterwards: () => {
        for (const folder of ['segments', 'cursors', 'indexes', 'quarantine']) {
          rmSync(join(dir, folder), { recursive: true, force: true })
        }
        for (const path of this.#inodes.keys()) rmSync(path, { force: true })
        this.#inodes.clear()
        this.#open.clear()
        this.#nameChanges = []
        this.#durableNames = new Map()
        for (const [path, inode] of names) {
          mkdirSync(dirname(path), { recursive: true })
          const durable = survivors.get(inode) ?? inode.durable
          writeFileSync(path, durable, { mode: 0o600 })
          const again = { durable }
          this.#inodes.set(path, again)
          this.#durableNames.set(path, again)
        }
        this.changesLeft = Number.POSITIVE_INFINITY
      },
    }
  }

  #change(): void {
    if (this.changesLeft <= 0) throw Object.assign(new Error('the power is gone'), { code: 'EDEAD' })
    this.changesLeft -= 1
    this.#changes += 1
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'link') names.set(change.path, change.inode)
  else if (change.kind === 'unlink') names.delete(change.path)
  else {
    names.delete(change.from)
    names.set(change.to, change.inode)
  }
}

/** What a cut leaves of a file: each sector as it was synced, or as it was written last. */
function torn(durable: Buffer, written: Buffer, flip: () => boolean): Buffer {
  if (durable.equals(written)) return durable
  const size = flip() ? durable.length : written.length
  const left = Buffer.alloc(size)
  durable.copy(left)
  for (let at = 0; at < size; at += SECTOR_BYTES) {
    if (flip()) written.copy(left, at, at, Math.min(at + SECTOR_BYTES, size))
  }
  return left
}
