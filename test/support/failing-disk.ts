import { type Disk, nodeDisk } from '../../edge-daemon/store/disk.ts'

/** Which calls are refused. */
export interface Refusals {
  /** The first of them, counted from 0 in `calls`. */
  readonly at: number
  readonly count: number
  /** The system's code. */
  readonly code: string
  /** They are refused after they had their effect, as a disk does whose answer is about its journal. */
  readonly late: boolean
}

/** A disk that refuses some of the calls that change it, one stretch of them. */
export interface FailingDisk extends Disk {
  /** Calls that were asked for, by name, in order. */
  readonly calls: string[]
  fails: Refusals | null
}

/** Make one that refuses nothing yet. It syncs nothing for real: what is looked at is what the files hold. */
export function failingDisk(): FailingDisk {
  const disk: FailingDisk = { ...nodeDisk, calls: [], fails: null }
  const ask = <T>(call: string, effect: () => T, undo: (result: T) => void = () => {}): T => {
    const { fails } = disk
    const position = disk.calls.push(call) - 1
    const isRefused = fails !== null && position >= fails.at && position < fails.at + fails.count
    if (!isRefused) return effect()
    if (fails.late) undo(effect())
    throw Object.assign(new Error(`${call}: ${fails.code}`), { code: fails.code })
  }
  const nothing = (): void => {}
  disk.create = (path) => ask('create', () => nodeDisk.create(path), nodeDisk.close)
  disk.open = (path) => ask('open', () => nodeDisk.open(path), nodeDisk.close)
  disk.write = (fd, buffers, position) => ask('write', () => nodeDisk.write(fd, buffers, position))
  disk.truncate = (fd, size) => ask('truncate', () => nodeDisk.truncate(fd, size))
  disk.unlink = (path) => ask('unlink', () => nodeDisk.unlink(path))
  disk.rename = (from, to) => ask('rename', () => nodeDisk.rename(from, to))
  disk.sync = () => ask('sync', nothing)
  disk.syncFolder = () => ask('syncFolder', nothing)
  disk.close = (fd) => {
    // A close that is refused tells of what came before it: the descriptor is gone all the same.
    nodeDisk.close(fd)
    ask('close', nothing)
  }
  return disk
}
