import { type Disk, nodeDisk } from '../../edge-daemon/store/disk.ts'

/** A disk on which nothing happens any more from the n-th change on, as if the process had died there. */
export interface DyingDisk extends Disk {
  /** Changes that were asked for. */
  changes: number
  /** The change at which it dies. */
  diesAt: number
}

const CHANGES = ['create', 'write', 'sync', 'truncate', 'unlink', 'rename', 'syncFolder'] as const

/** Make one that lives until `diesAt` is set. */
export function dyingDisk(): DyingDisk {
  const disk: DyingDisk = { ...nodeDisk, changes: 0, diesAt: Number.POSITIVE_INFINITY }
  for (const call of CHANGES) {
    const real = nodeDisk[call] as (...args: unknown[]) => unknown
    Object.assign(disk, {
      [call]: (...args: unknown[]) => {
        disk.changes += 1
        if (disk.changes >= disk.diesAt) throw Object.assign(new Error(`died before ${call}`), { code: 'EDEAD' })
        return real(...args)
      },
    })
  }
  return disk
}
