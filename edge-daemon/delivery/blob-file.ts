import { createHash, type Hash } from 'node:crypto'
import { copyFile, type FileHandle, link, open, rm, stat } from 'node:fs/promises'
import type { BlobPiece, BlobWish } from './contract.ts'

/** Largest piece that is hashed and written without letting others have the thread. */
const PIECE_BYTES = 64 * 1024
/** Written so far ahead of what is synced, so that the store's own syncs never wait for much of this. */
const SYNC_EVERY_BYTES = 4 * 1024 * 1024

/** Called after each piece with its size and how long it took the thread; the next piece waits for it. */
export type AfterPiece = (bytes: number, busyMs: number) => Promise<void>

/**
 * A blob that is being put together in a file: it grows at its end only, whatever was there before is looked at again, and
 * it is whole when its digest says so.
 */
export class BlobFile {
  readonly blob: BlobWish
  readonly #path: string
  readonly #handle: FileHandle
  #hash: Hash
  #have: number
  #unsyncedBytes = 0

  private constructor(path: string, blob: BlobWish, file: { handle: FileHandle; hash: Hash; have: number }) {
    this.#path = path
    this.blob = blob
    this.#handle = file.handle
    this.#hash = file.hash
    this.#have = file.have
  }

  /** Go on with the file, or begin it. Throws what the disk says. */
  static async open(path: string, blob: BlobWish, afterPiece: AfterPiece): Promise<BlobFile> {
    const handle = await open(path, 'a+', 0o600)
    try {
      const { size } = await handle.stat()
      const hash = createHash('sha256')
      const file = new BlobFile(path, blob, { handle, hash, have: 0 })
      if (size > blob.sizeBytes) await file.restart()
      else await file.#recall(size, afterPiece)
      return file
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** How much of it is here. */
  get have(): number {
    return this.#have
  }

  /** Whether all bytes are here; {@link isSound} says whether they are the right ones. */
  get isFull(): boolean {
    return this.#have === this.blob.sizeBytes
  }

  /**
   * Add what of a piece is new. A piece that would leave a hole, or lies beyond the end, adds nothing.
   * @returns whether the piece fitted
   */
  async add({ at, data }: BlobPiece, afterPiece: AfterPiece): Promise<boolean> {
    if (at > this.#have || at + data.length > this.blob.sizeBytes) return false
    const fresh = data.subarray(this.#have - at)
    for (let from = 0; from < fresh.length; from += PIECE_BYTES) {
      const piece = fresh.subarray(from, from + PIECE_BYTES)
      await writeAll(this.#handle, piece)
      const beganMs = performance.now()
      this.#hash.update(piece)
      const busyMs = performance.now() - beganMs
      this.#have += piece.length
      this.#unsyncedBytes += piece.length
      if (this.#unsyncedBytes >= SYNC_EVERY_BYTES) await this.#sync()
      await afterPiece(piece.length, busyMs)
    }
    return true
  }

  /** Whether it has the digest that it should have. Only once it is full; nothing can be added afterwards. */
  async isSound(): Promise<boolean> {
    await this.#sync()
    return this.#hash.digest('hex') === this.blob.sha256
  }

  /** Begin anew: what is there is not what it should be. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0)
    this.#hash = createHash('sha256')
    this.#have = 0
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** Close it and forget what came. */
  async discard(): Promise<void> {
    await this.close()
    await rm(this.#path, { force: true })
  }

  async #sync(): Promise<void> {
    await this.#handle.datasync()
    this.#unsyncedBytes = 0
  }

  async #recall(sizeBytes: number, afterPiece: AfterPiece): Promise<void> {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    while (this.#have < sizeBytes) {
      const { bytesRead } = await this.#handle.read(buffer, 0, PIECE_BYTES, this.#have)
      if (bytesRead === 0) break
      const beganMs = performance.now()
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#have += bytesRead
      await afterPiece(0, performance.now() - beganMs)
    }
  }
}

/** Whether a file has a content, looked at in small pieces. */
export async function hasContent(path: string, blob: BlobWish, afterPiece: AfterPiece): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (found?.isFile() !== true || found.size !== blob.sizeBytes) return false
  const handle = await open(path, 'r')
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, PIECE_BYTES, null)
      if (bytesRead === 0) break
      const beganMs = performance.now()
      hash.update(buffer.subarray(0, bytesRead))
      await afterPiece(0, performance.now() - beganMs)
    }
    return hash.digest('hex') === blob.sha256
  } finally {
    await handle.close()
  }
}

/** Give a content a second name, or where the file system cannot do that, copy it. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await rm(to, { force: true })
  try {
    await link(from, to)
  } catch {
    await copyFile(from, to)
  }
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  let written = 0
  while (written < piece.length) {
    // Opened for appending: everything goes to the end.
    const { bytesWritten } = await handle.write(piece, written)
    written += bytesWritten
  }
}
