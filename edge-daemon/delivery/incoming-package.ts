import type { Stats } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { putFile } from '../../durable/durable-file.ts'
import { makeFolder } from '../../durable/make-folder.ts'
import { MAX_PACKAGE_FILE_BYTES, PACKAGE_FILE, type SignedPackage, type Statement } from '../../protocol/package.ts'
import { type AfterPiece, BlobFile, hasContent, linkOrCopy } from './blob-file.ts'
import type { BlobWish, DeliveredPackage, DeliveryProgress, PackagePlace } from './contract.ts'

type PackageFile = Statement['files'][number]

/**
 * A package that is on its way: a folder named by its digest holds its statement, the whole files in `tree/` as they will
 * be, and in `parts/` what came of the other blobs. All of it outlives the process. A blob is written by one at a time.
 */
export class IncomingPackage {
  readonly digest: string
  readonly signed: SignedPackage
  readonly #folder: string
  readonly #place: PackagePlace
  readonly #afterPiece: AfterPiece
  /** Bytes that are here, by blob that is not whole yet. */
  readonly #missing = new Map<string, { readonly blob: BlobWish; have: number }>()
  readonly #open = new Map<string, BlobFile>()
  readonly #totalBytes: number

  private constructor(digest: string, signed: SignedPackage, parts: IncomingParts) {
    this.digest = digest
    this.signed = signed
    this.#folder = incomingFolder(parts.place, digest)
    this.#place = parts.place
    this.#afterPiece = parts.afterPiece
    this.#totalBytes = signed.statement.files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /**
   * Begin or go on. What other packages on this disk hold is linked and not fetched. Throws what the disk says.
   * @param signed is believed
   */
  static async open(digest: string, signed: SignedPackage, parts: IncomingParts): Promise<IncomingPackage> {
    const incoming = new IncomingPackage(digest, signed, parts)
    const folder = incomingFolder(parts.place, digest)
    await makeFolder(join(folder, 'parts'), { mode: 0o700 })
    await makeFolder(join(folder, 'tree'), { mode: 0o700 })
    await putFile(join(folder, PACKAGE_FILE), JSON.stringify(signed), { isSole: true })
    await putFile(join(folder, 'tree', PACKAGE_FILE), JSON.stringify(signed), { isSole: true })
    for (const file of signed.statement.files) await incoming.#look(file)
    return incoming
  }

  /** Blobs that are not whole, each once, and how much of each is here. */
  missing(): readonly (BlobWish & { readonly have: number })[] {
    return [...this.#missing.values()].map(({ blob, have }) => ({ ...blob, have }))
  }

  /** Bytes that are still to come. */
  get missingBytes(): number {
    return this.missing().reduce((sum, { sizeBytes, have }) => sum + sizeBytes - have, 0)
  }

  progress(): DeliveryProgress {
    // A content that several files have is counted for each of them.
    const open = this.signed.statement.files.reduce((sum, { sha256, bytes }) => {
      const part = this.#missing.get(sha256)
      return part === undefined ? sum : sum + bytes - part.have
    }, 0)
    return { doneBytes: this.#totalBytes - open, totalBytes: this.#totalBytes }
  }

  /** Write at a blob that is missing; null when it is not, or somebody else writes at it. */
  async claim(sha256: string): Promise<BlobFile | null> {
    const part = this.#missing.get(sha256)
    if (part === undefined || this.#open.has(sha256)) return null
    const opening = BlobFile.open(this.#partOf(sha256), part.blob, this.#afterPiece)
    // Nobody else may open it meanwhile.
    const marker = {} as BlobFile
    this.#open.set(sha256, marker)
    try {
      const file = await opening
      this.#open.set(sha256, file)
      part.have = file.have
      return file
    } catch (error) {
      this.#open.delete(sha256)
      throw error
    }
  }

  /** Whether somebody writes at a blob of it now. */
  get isWritten(): boolean {
    return this.#open.size > 0
  }

  /** How far a blob is by now, for {@link progress}. */
  grew(file: BlobFile): void {
    const part = this.#missing.get(file.blob.sha256)
    if (part !== undefined) part.have = file.have
  }

  /**
   * Stop writing at a blob. One that is full and has the right digest takes its place in the package; a full one with
   * another digest is thrown away.
   * @returns `whole`, `part`, or `wrong`
   */
  async release(file: BlobFile): Promise<'whole' | 'part' | 'wrong'> {
    const { sha256 } = file.blob
    try {
      if (!file.isFull) {
        await file.close()
        return 'part'
      }
      if (!(await file.isSound())) {
        await file.discard()
        const part = this.#missing.get(sha256)
        if (part !== undefined) part.have = 0
        return 'wrong'
      }
      await file.close()
      await this.#settle(this.#partOf(sha256), sha256)
      return 'whole'
    } finally {
      this.#open.delete(sha256)
    }
  }

  /** Put the whole package where packages are kept. @throws EdgeError */
  async accept(): Promise<DeliveredPackage> {
    const kept = await this.#place.accept(join(this.#folder, 'tree'), this.signed)
    await this.discard()
    return kept
  }

  /** Forget all that came. Throws what the disk says. */
  async discard(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** What is here of a file already. */
  async #look(file: PackageFile): Promise<void> {
    const blob = { sha256: file.sha256, sizeBytes: file.bytes }
    const to = this.#treeOf(file)
    const found = await statOrNull(to)
    if (found?.isFile() === true && found.size === file.bytes) return
    const kept = await this.#place.fileOf(file.sha256, file.bytes)
    if (kept !== null) {
      await makeFolder(dirname(to), { mode: 0o700 })
      await linkOrCopy(kept, to)
      if (await hasContent(to, blob, this.#afterPiece)) return
      await rm(to, { force: true })
    }
    if (file.bytes === 0) {
      await makeFolder(dirname(to), { mode: 0o700 })
      await writeFile(to, '')
      if (await hasContent(to, blob, this.#afterPiece)) return
    }
    const part = await statOrNull(this.#partOf(file.sha256))
    this.#missing.set(file.sha256, { blob, have: Math.min(part?.size ?? 0, file.bytes) })
  }

  /** Every file of this content gets it. */
  async #settle(path: string, sha256: string): Promise<void> {
    const [first, ...others] = this.signed.statement.files.filter((file) => file.sha256 === sha256)
    if (first === undefined) return
    for (const file of [first, ...others]) await makeFolder(dirname(this.#treeOf(file)), { mode: 0o700 })
    await rename(path, this.#treeOf(first))
    for (const file of others) await linkOrCopy(this.#treeOf(first), this.#treeOf(file))
    this.#missing.delete(sha256)
  }

  #treeOf({ path }: PackageFile): string {
    return join(this.#folder, 'tree', ...path.split('/'))
  }

  #partOf(sha256: string): string {
    return join(this.#folder, 'parts', sha256)
  }
}

/** @see IncomingPackage.open */
export interface IncomingParts {
  readonly place: PackagePlace
  readonly afterPiece: AfterPiece
}

/** The statement that was written down for a package on its way; null for none. Whoever reads it verifies it again. */
export async function statementOf(place: PackagePlace, digest: string): Promise<Uint8Array | null> {
  const path = join(incomingFolder(place, digest), PACKAGE_FILE)
  const found = await statOrNull(path)
  return found?.isFile() === true && found.size <= MAX_PACKAGE_FILE_BYTES ? readFile(path) : null
}

/** Null for what is not there; whatever else the disk says is thrown, since what came before may lie there. */
async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

function incomingFolder({ incoming }: PackagePlace, digest: string): string {
  return join(incoming, digest)
}
