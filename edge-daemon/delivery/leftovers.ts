import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** What came of a package and is not whole. */
export interface Leftover {
  readonly digest: string
  readonly path: string
  /** When it was begun or gone on with last, Unix ms. */
  readonly atMs: number
}

/** What came of packages below a folder, what was gone on with longest ago first. Never throws. */
export async function leftoversIn(folder: string): Promise<Leftover[]> {
  const names = await readdir(folder).catch((): string[] => [])
  const found = await Promise.all(
    names.map(async (digest) => {
      const path = join(folder, digest)
      return { digest, path, atMs: (await stat(path).catch(() => null))?.mtimeMs ?? 0 }
    }),
  )
  return found.sort((a, b) => a.atMs - b.atMs)
}

/** What a disk would have free again without one, bytes: a file that a package on the shelf shares gives nothing back. */
export async function bytesFreedBy({ path }: Leftover): Promise<number> {
  const names = await readdir(path, { recursive: true }).catch((): string[] => [])
  const found = await Promise.all(names.map((name) => stat(join(path, name)).catch(() => null)))
  return found.reduce((sum, file) => sum + (file?.isFile() === true && file.nlink === 1 ? file.size : 0), 0)
}

/** Forget it. Never throws. */
export async function removeLeftover({ path }: Leftover): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {})
}
