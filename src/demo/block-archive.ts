import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'

/** Which chain of blocks is meant: those of a subject in an epoch, or those that one resend request brought. */
export interface ChainKey {
  readonly subject: string
  readonly epoch: string
  /** Id of the resend request; empty for what came live. */
  readonly resend: string
}

/** What a block says of itself and of the one before it in its chain. */
export interface BlockNote extends ChainKey {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly digest: string
  /** Unix ms. */
  readonly receivedAt: number
  readonly headers: Readonly<Record<string, string>>
}

/** A block to be stored when the last of its chain is the one it names. */
export interface OfferedBlock extends BlockNote {
  /** 0 when it is the first of its chain. */
  readonly prevSeq: number
  readonly prevDigest: string | null
  readonly body: Buffer
}

/** What became of an offer; `last` is what the chain holds last now. */
export interface Stored {
  readonly outcome: 'stored' | 'held' | 'conflict'
  readonly last: BlockNote | null
}

interface Kept {
  readonly note: BlockNote
  readonly bodyAt: number
  readonly bodyBytes: number
}

/** Length of the note, length of the body, CRC of both; little-endian. */
const HEAD_BYTES = 12
/** No block is near this; a length beyond it is damage. */
const MOST_BYTES = 16 * 1024 * 1024

/**
 * Blocks in one file that is only ever written at its end: compare, write, sync, and only then an answer. What a crash
 * left half written is cut off at the next opening, so that a block is there whole or not at all.
 */
export class BlockArchive {
  /** Names this archive: one that is made anew, or loses this file, is another. */
  readonly id: string
  readonly #file: FileHandle
  readonly #kept: Kept[]
  readonly #last = new Map<string, BlockNote>()
  readonly #lastEpoch = new Map<string, string>()
  #endAt: number
  #turn: Promise<unknown> = Promise.resolve()
  #failure: Error | null = null

  private constructor(id: string, file: FileHandle, found: { kept: Kept[]; endAt: number }) {
    this.id = id
    this.#file = file
    this.#kept = found.kept
    this.#endAt = found.endAt
    for (const { note } of found.kept) this.#enter(note)
  }

  /** Open the archive of a folder, or make it. */
  static async open(dir: string): Promise<BlockArchive> {
    await mkdir(dir, { recursive: true })
    const id = await idOf(dir)
    const file = await openOrMake(path.join(dir, 'blocks.log'))
    const found = await scan(file)
    await file.truncate(found.endAt)
    await file.sync()
    await syncFolder(dir)
    return new BlockArchive(id, file, found)
  }

  /** The last block of a chain; null when there is none. */
  last(key: ChainKey): BlockNote | null {
    return this.#last.get(keyOf(key)) ?? null
  }

  /** Epoch of the last live block of a subject; null when there is none. */
  lastEpoch(subject: string): string | null {
    return this.#lastEpoch.get(subject) ?? null
  }

  /**
   * Store a block when the last of its chain is the one it names; the answer comes once it is on the disk. A block that
   * is the last already is `held`: its answer was lost. One at a time.
   * @throws Error when the disk refuses; the archive takes nothing more when it is not known what the disk has.
   */
  store(offered: OfferedBlock): Promise<Stored> {
    const stored = this.#turn.then(() => this.#storeNow(offered))
    this.#turn = stored.catch(() => undefined)
    return stored
  }

  /** All blocks in the order they came, or those whose subject contains a text; the newest `limit` of them. */
  list(contains: string, limit: number): { index: number; note: BlockNote }[] {
    const all = this.#kept.map(({ note }, index) => ({ index, note }))
    return all.filter(({ note }) => note.subject.includes(contains)).slice(-limit)
  }

  /** One block as it came; null when there is none of this number. */
  async read(index: number): Promise<{ note: BlockNote; body: Buffer } | null> {
    const kept = this.#kept[index]
    if (kept === undefined) return null
    return { note: kept.note, body: await readAt(this.#file, kept.bodyAt, kept.bodyBytes) }
  }

  /** Finish what is being stored and close the file. */
  async close(): Promise<void> {
    await this.#turn
    await this.#file.close()
  }

  async #storeNow(offered: OfferedBlock): Promise<Stored> {
    if (this.#failure !== null) throw this.#failure
    const { body, prevSeq, prevDigest, ...note } = offered
    const last = this.last(note)
    if (last !== null && last.lastSeq === note.lastSeq && last.digest === note.digest) return { outcome: 'held', last }
    const isNext = last === null ? prevSeq === 0 : last.lastSeq === prevSeq && last.digest === prevDigest
    if (!isNext || note.firstSeq <= prevSeq) return { outcome: 'conflict', last }
    const noteBytes = Buffer.from(JSON.stringify(note))
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32LE(noteBytes.length, 0)
    head.writeUInt32LE(body.length, 4)
    head.writeUInt32LE(crc32(body, crc32(noteBytes)), 8)
    const frame = Buffer.concat([head, noteBytes, body])
    await this.#append(frame)
    this.#kept.push({ note, bodyAt: this.#endAt + HEAD_BYTES + noteBytes.length, bodyBytes: body.length })
    this.#endAt += frame.length
    this.#enter(note)
    return { outcome: 'stored', last: note }
  }

  async #append(frame: Buffer): Promise<void> {
    try {
      const { bytesWritten } = await this.#file.write(frame, 0, frame.length, this.#endAt)
      if (bytesWritten < frame.length) throw new Error('the disk took a part of the block')
    } catch (error) {
      await this.#file.truncate(this.#endAt)
      throw error
    }
    try {
      await this.#file.datasync()
    } catch (error) {
      // What the disk has now is not known, and a second sync would not tell.
      this.#failure = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }

  #enter(note: BlockNote): void {
    this.#last.set(keyOf(note), note)
    if (note.resend === '') this.#lastEpoch.set(note.subject, note.epoch)
  }
}

function keyOf({ subject, epoch, resend }: ChainKey): string {
  return `${subject} ${epoch} ${resend}`
}

async function idOf(dir: string): Promise<string> {
  const at = path.join(dir, 'archive.id')
  try {
    const id = (await readFile(at, 'utf8')).trim()
    if (/^[0-9a-f]{32}$/.test(id)) return id
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const id = randomBytes(16).toString('hex')
  const made = await open(`${at}.new`, 'w')
  await made.writeFile(`${id}\n`)
  await made.sync()
  await made.close()
  await rename(`${at}.new`, at)
  return id
}

async function openOrMake(at: string): Promise<FileHandle> {
  try {
    return await open(at, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return open(at, 'w+')
  }
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  await folder.sync()
  await folder.close()
}

/** Every whole block from the start on, and where the first that is not whole begins. */
async function scan(file: FileHandle): Promise<{ kept: Kept[]; endAt: number }> {
  const { size } = await file.stat()
  const kept: Kept[] = []
  let endAt = 0
  for (;;) {
    if (endAt + HEAD_BYTES > size) return { kept, endAt }
    const head = await readAt(file, endAt, HEAD_BYTES)
    const [noteLength, bodyBytes] = [head.readUInt32LE(0), head.readUInt32LE(4)]
    const frameBytes = HEAD_BYTES + noteLength + bodyBytes
    if (noteLength + bodyBytes > MOST_BYTES || endAt + frameBytes > size) return { kept, endAt }
    const rest = await readAt(file, endAt + HEAD_BYTES, noteLength + bodyBytes)
    if (crc32(rest) !== head.readUInt32LE(8)) return { kept, endAt }
    const note = JSON.parse(rest.subarray(0, noteLength).toString()) as BlockNote
    kept.push({ note, bodyAt: endAt + HEAD_BYTES + noteLength, bodyBytes })
    endAt += frameBytes
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, at)
  if (bytesRead < length) throw new Error(`the archive ends before byte ${at + length}`)
  return buffer
}
