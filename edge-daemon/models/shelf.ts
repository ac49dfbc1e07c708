import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { putFile } from '../../durable/durable-file.ts'
import { makeFolder } from '../../durable/make-folder.ts'
import { digestOfStatement, type PackageSigner } from '../../identity/package-signature.ts'
import { filesBelow, readPackageFile, type VerifyOptions, verifyFolder } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { SignedPackage } from '../../protocol/package.ts'

/** A package on the shelf: it was verified as a whole when it came there. */
export interface ShelvedPackage {
  readonly digest: string
  /** Absolute path of its folder. */
  readonly folder: string
  readonly signed: SignedPackage
  /** Of all its files. */
  readonly bytes: number
  /** What it must stay for, e.g. `confirmed-model`; empty when it may go. */
  readonly pins: readonly string[]
}

const DIGEST = /^[0-9a-f]{64}$/
const PINS_FILE = 'pins.json'
const MAX_PINS = 32
const pinsSchema = z
  .record(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/), z.string().regex(DIGEST))
  .refine((pins) => Object.keys(pins).length <= MAX_PINS, `at most ${MAX_PINS} pins`)

/** Verifies a folder, as `verifyFolder`. */
export type Verify = (wish: VerifyOptions) => Promise<unknown>

/**
 * The packages of a node below `<state.dir>/packages`, several versions side by side: `<digest>/` holds a whole package
 * and never changes, `incoming/<digest>/` what is still on its way and survives a restart, `leaving/` what is being
 * removed, `pins.json` what must stay. A folder gets its place by one rename, after its files and folders were synced.
 */
export class PackageShelf {
  readonly #root: string
  readonly #trust: readonly PackageSigner[]
  readonly #verify: Verify
  #pins: Readonly<Record<string, string>>
  /** Packages of which a file was found altered; until another comes in its place. */
  readonly #spoilt = new Set<string>()
  /** Pins and removals one after the other: a pin that was promised is on the disk before anything is removed. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(
    root: string,
    { trust, verify }: { readonly trust: readonly PackageSigner[]; readonly verify: Verify },
    pins: Readonly<Record<string, string>>,
  ) {
    this.#root = root
    this.#trust = trust
    this.#verify = verify
    this.#pins = pins
  }

  /**
   * Open, or make, the shelf of a state folder; what an earlier run was removing is removed.
   * @param trust keys of which one must have signed what is put there
   * @param verify how folders are verified; in this thread when it is left out
   * @throws EdgeError `STORE_UNUSABLE` when it can be neither read nor made, or its pins are damaged.
   */
  static async open(
    stateDir: string,
    trust: readonly PackageSigner[],
    verify: Verify = verifyFolder,
  ): Promise<PackageShelf> {
    const root = join(stateDir, 'packages')
    try {
      await makeFolder(join(root, 'incoming'), { mode: 0o700 })
      await rm(join(root, 'leaving'), { recursive: true, force: true })
      return new PackageShelf(root, { trust, verify }, await readPins(join(root, PINS_FILE)))
    } catch (error) {
      if (error instanceof EdgeError) throw error
      throw new EdgeError('STORE_UNUSABLE', {
        message: `the packages in ${root} cannot be read: ${messageOf(error)}`,
        next: ['let the user of the daemon own that folder and write to it'],
        cause: error,
      })
    }
  }

  /** Keys of which one must have signed what is put here. */
  get trust(): readonly PackageSigner[] {
    return this.#trust
  }

  /** Where packages on their way are put together, each in a folder named by its digest; whoever does that owns them. */
  get incoming(): string {
    return join(this.#root, 'incoming')
  }

  /** The package of this digest; null when none lies here. It was whole when it came. @throws EdgeError `PACKAGE_UNREAD` */
  async find(digest: string): Promise<ShelvedPackage | null> {
    if (!DIGEST.test(digest)) return null
    const folder = join(this.#root, digest)
    if (!(await this.#digests()).includes(digest)) return null
    const signed = await readPackageFile(folder).catch((error: unknown) => {
      if (isUnread(error)) throw error
      return null
    })
    return signed === null ? null : this.#shelved(folder, digest, signed)
  }

  /**
   * As {@link find}, every file looked at again: what was spoilt on the disk since is not here, and may be brought anew.
   * @throws EdgeError `PACKAGE_UNREAD` where the disk does not give a file: nobody knows then whether it is spoilt
   */
  async findWhole(digest: string): Promise<ShelvedPackage | null> {
    const held = this.#spoilt.has(digest) ? null : await this.find(digest)
    if (held === null) return null
    try {
      await this.#verify({ folder: held.folder, trust: null, digest })
      return held
    } catch (error) {
      if (!(error instanceof EdgeError) || isUnread(error)) throw error
      this.#spoilt.add(digest)
      return null
    }
  }

  /** Path of a file with this content in one of the packages here; null for none. */
  async fileOf(sha256: string, sizeBytes: number): Promise<string | null> {
    for (const { folder, signed } of await this.list()) {
      const file = signed.statement.files.find((held) => held.sha256 === sha256 && held.bytes === sizeBytes)
      if (file !== undefined) return join(folder, file.path)
    }
    return null
  }

  /**
   * Take a folder of {@link incoming} that holds a whole package: verified, synced, then moved to its place by a rename.
   * Taking what is here already is fine, the folder then goes; what was spoilt here gives its place.
   * @throws EdgeError of `verifyFolder`; the folder then stays, for whoever brought it to discard.
   */
  async accept(folder: string, signed: SignedPackage): Promise<ShelvedPackage> {
    const digest = digestOfStatement(signed.statement)
    const here = await this.findWhole(digest)
    if (here !== null) {
      await this.#remove(folder)
      return here
    }
    await this.#verify({ folder, trust: this.#trust, digest })
    await syncTree(folder)
    const place = join(this.#root, digest)
    // What stands there was damaged by others.
    await this.#remove(place)
    await rename(folder, place)
    await sync(this.#root)
    this.#spoilt.delete(digest)
    return this.#shelved(place, digest, signed)
  }

  /** What lies on the shelf; a folder whose statement cannot be read is left out (and goes with the unpinned). */
  async list(): Promise<ShelvedPackage[]> {
    const found = await Promise.all(
      (await this.#digests()).map((digest) =>
        this.find(digest).catch((error: unknown) => {
          if (isUnread(error)) return null
          throw error
        }),
      ),
    )
    return found.filter((held) => held !== null)
  }

  /** Bytes of all packages on the shelf. */
  async bytes(): Promise<number> {
    return (await this.list()).reduce((sum, held) => sum + held.bytes, 0)
  }

  /** What is pinned, by the name of the pin. */
  get pins(): Readonly<Record<string, string>> {
    return this.#pins
  }

  /** Keep a package for this reason, and no other for it; null lets go. It is on the disk when this resolves. */
  async pin(name: string, digest: string | null): Promise<void> {
    await this.#inTurn(async () => {
      const { [name]: _, ...others } = this.#pins
      const pins = pinsSchema.parse(digest === null ? others : { ...others, [name]: digest })
      await putFile(join(this.#root, PINS_FILE), `${JSON.stringify(pins)}\n`, { isSole: true })
      this.#pins = pins
    })
  }

  /**
   * Remove every package that no pin keeps and that has been here for a while: what was just brought may be wanted next.
   * @returns their digests.
   */
  async removeUnpinned(olderThanMs = 0): Promise<string[]> {
    return await this.#inTurn(async () => {
      const loose: string[] = []
      for (const digest of await this.#digests()) {
        if (this.#pinsOf(digest).length > 0) continue
        const folder = join(this.#root, digest)
        // A rename to its place says when it came there.
        if (Date.now() - (await stat(folder)).ctimeMs < olderThanMs) continue
        await this.#remove(folder)
        loose.push(digest)
      }
      return loose
    })
  }

  #shelved(folder: string, digest: string, signed: SignedPackage): ShelvedPackage {
    const bytes = signed.statement.files.reduce((sum, file) => sum + file.bytes, 0)
    return { digest, folder, signed, bytes, pins: this.#pinsOf(digest) }
  }

  #pinsOf(digest: string): string[] {
    return Object.keys(this.#pins).filter((name) => this.#pins[name] === digest)
  }

  async #digests(): Promise<string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory() && DIGEST.test(entry.name)).map(({ name }) => name)
  }

  /** Out of its place by one rename, so that a death on the way leaves no half of a package there. */
  async #remove(folder: string): Promise<void> {
    const leaving = join(this.#root, 'leaving')
    await makeFolder(leaving, { mode: 0o700 })
    const there = join(leaving, randomBytes(8).toString('hex'))
    try {
      await rename(folder, there)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await rm(there, { recursive: true, force: true })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}

function isUnread(error: unknown): boolean {
  return error instanceof EdgeError && error.code === 'PACKAGE_UNREAD'
}

async function readPins(path: string): Promise<Readonly<Record<string, string>>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
  try {
    return pinsSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new EdgeError('STORE_UNUSABLE', {
      message: `${path}, which says what packages must stay, is damaged: ${messageOf(error).slice(0, 200)}`,
      next: [`move ${path} away: nothing is pinned then until the next change`],
      cause: error,
    })
  }
}

async function syncTree(folder: string): Promise<void> {
  const folders = new Set([''])
  for (const path of await filesBelow(folder)) {
    await sync(join(folder, path))
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at))
  }
  for (const inside of [...folders].sort((a, b) => b.length - a.length)) await sync(join(folder, inside))
}

async function sync(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
