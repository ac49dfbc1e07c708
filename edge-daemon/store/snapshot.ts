import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { ReadRequest, StoredRecord } from './contract.ts'
import { refusalOf } from './disk.ts'
import { FrameReader } from './frame-reader.ts'
import { checkKeys, encryptionOf } from './key-use.ts'
import { LogIndex, Segment } from './log-index.ts'
import { readRange } from './range-read.ts'
import { SegmentScan } from './recover.ts'
import { KeyRing, type StoreKeys } from './seal.ts'
import { segmentFiles } from './segment-files.ts'

/** Looks at a folder that changes meanwhile. */
const TRIES = 5

/**
 * What a store holds at one moment, for commands that only look. It takes no lock, writes nothing and sets nothing aside, so
 * it may be read while a daemon runs: what that one commits later is not part of it, and what it evicts meanwhile is left
 * out.
 */
export class StoreSnapshot {
  readonly #index: LogIndex
  readonly #reader: FrameReader
  readonly #ring: KeyRing
  readonly #lastSeq: number

  private constructor(segments: Segment[], ring: KeyRing, lastSeq: number) {
    this.#index = new LogIndex(segments)
    this.#ring = ring
    this.#reader = new FrameReader(ring)
    this.#lastSeq = lastSeq
  }

  /**
   * Look at the store in this folder.
   * @throws EdgeError `STORE_UNUSABLE` when there is none or it cannot be read, `STORE_KEY_WRONG` | `STORE_KEY_MISSING`.
   */
  static open(dir: string, keys: StoreKeys | null): StoreSnapshot {
    let scanned: Scanned | null = null
    for (let tries = 1; scanned === null; tries += 1) scanned = scanAll(dir, tries === TRIES)
    const snapshot = new StoreSnapshot(scanned.segments, new KeyRing(keys), scanned.lastSeq)
    checkKeys(snapshot.#index, snapshot.#ring)
    return snapshot
  }

  /** Blocks that no key opens: what they hold is left out. */
  get sealedBlocks(): number {
    const { missingKeys = 0, lostKeys = 0 } = encryptionOf(this.#index, this.#ring) ?? {}
    return missingKeys + lostKeys
  }

  /**
   * Records in order of sequence; `limit` may be infinite.
   * @throws EdgeError `STORE_FAILING` when the disk lets nothing be read now.
   */
  *read(request: ReadRequest): Generator<StoredRecord> {
    const source = { index: this.#index, reader: this.#reader, lastSeq: this.#lastSeq }
    for (const record of readRange(source, request)) if (record !== null) yield record
  }

  close(): void {
    this.#reader.close()
  }
}

interface Scanned {
  readonly segments: Segment[]
  readonly lastSeq: number
}

/**
 * Scan the segments that there are; null when one went meanwhile, evicted or rewritten into another, and the folder is to be
 * looked at again. With `whatIsThere` one that went is left out.
 */
function scanAll(dir: string, whatIsThere: boolean): Scanned | null {
  const folder = join(dir, 'segments')
  const files = segmentFiles(namesIn(folder, dir)).log
  const segments: Segment[] = []
  let end: SegmentScan['end'] = { lastSeq: 0, epoch: null }
  for (const [position, file] of files.entries()) {
    const beforeSeq = files[position + 1]?.startSeq ?? Number.POSITIVE_INFINITY
    const isNewest = position === files.length - 1
    // The newest commit may be half written. In a rewritten segment the frames that ended a commit may be gone.
    const keepHalfFromSeq = isNewest && file.throughSeq === null ? 0 : Number.POSITIVE_INFINITY
    const scan = new SegmentScan(new Segment(join(folder, file.name), file), end, { beforeSeq, keepHalfFromSeq })
    try {
      scan.run()
    } catch (error) {
      if (refusalOf(error) !== 'ENOENT') throw unreadable(dir, error)
      if (!whatIsThere) return null
      continue
    }
    end = scan.end
    segments.push(scan.segment)
  }
  return { segments, lastSeq: end.lastSeq }
}

function namesIn(folder: string, dir: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (refusalOf(error) !== 'ENOENT') throw unreadable(dir, error)
    throw new EdgeError('STORE_UNUSABLE', {
      message: `there is no store in ${dir}`,
      next: ['name the state directory of a node with --state-dir, or its configuration with --config'],
    })
  }
}

function unreadable(dir: string, error: unknown): EdgeError {
  return new EdgeError('STORE_UNUSABLE', {
    message: `the store in ${dir} cannot be read: ${messageOf(error)}`,
    next: ['run this as the user of the daemon, or as root'],
    cause: error,
  })
}
