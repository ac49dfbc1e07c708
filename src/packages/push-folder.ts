import { copyFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../durable/make-folder.ts'
import { digestFile } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { LocalPackage } from './local-package.ts'

/**
 * Lay a package out in a folder that any web server serves: `blobs/<SHA-256>`, and last `packages/<digest>`, so that who
 * finds the statement finds everything. What is there is left alone.
 * @returns bytes that were written
 * @throws EdgeError `OUTPUT_REFUSED`
 */
export async function pushToFolder(
  folder: string,
  made: LocalPackage,
  options: { readonly signal: AbortSignal; readonly pushed?: (bytes: number) => void },
): Promise<number> {
  const { signal, pushed = () => {} } = options
  let written = 0
  try {
    await makeFolder(join(folder, 'blobs'))
    await makeFolder(join(folder, 'packages'))
    for (const { sha256, sizeBytes, path } of made.blobs) {
      signal.throwIfAborted()
      const to = join(folder, 'blobs', sha256)
      if (!(await isThere(to, sha256, sizeBytes))) {
        await copyFile(path, `${to}.new`)
        await rename(`${to}.new`, to)
        written += sizeBytes
      }
      pushed(sizeBytes)
    }
    const to = join(folder, 'packages', made.digest)
    await writeFile(`${to}.new`, made.signed)
    await rename(`${to}.new`, to)
    return written + made.signed.length
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof EdgeError) throw error
    throw new EdgeError('OUTPUT_REFUSED', {
      message: `${folder} cannot be written: ${messageOf(error)}`,
      next: ['name a folder that you may write to, and that a web server serves'],
      cause: error,
    })
  }
}

async function isThere(path: string, sha256: string, sizeBytes: number): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() === true && found.size === sizeBytes && (await digestFile(path)).sha256 === sha256
}
