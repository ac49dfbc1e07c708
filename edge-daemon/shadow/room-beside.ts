import { EdgeError } from '../../protocol/errors.ts'
import type { ServedModel } from '../models/models.ts'

/** A process without a model; what a model takes of its file's size (field notes 1); what stays free for everything else. */
const PROCESS_BYTES = 100e6
const MEMORY_OF_MODEL = 4
const LEFT_FREE_BYTES = 100e6

/**
 * What serves comes first: a model is not loaded beside it into memory that may be wanted.
 * @param freeBytes what programs of this machine may still take
 * @throws EdgeError `NOT_READY`
 */
export function requireRoomBeside({ name, version, sizeBytes }: ServedModel, freeBytes: number): void {
  const neededBytes = PROCESS_BYTES + sizeBytes * MEMORY_OF_MODEL + LEFT_FREE_BYTES
  if (freeBytes >= neededBytes) return
  throw new EdgeError('NOT_READY', {
    message: `${mb(freeBytes)} MB of memory are free, and ${name}@${version} beside what serves needs ${mb(neededBytes)} MB`,
    next: ['free memory on the node, or go on without it'],
  })
}

/** Whole megabytes, for people. */
export function mb(bytes: number): number {
  return Math.round(bytes / 1e6)
}
