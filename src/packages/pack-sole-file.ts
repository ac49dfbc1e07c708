import { createHash } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { PACKAGE_FILE, parseSignedPackage, type SignedPackage, type Statement } from '../../protocol/package.ts'
import { writePackageFile } from './pack-folder.ts'

/** What a package of one file is called, and where it goes. */
export interface SoleFileWish {
  readonly kind: Statement['kind']
  readonly name: string
  readonly version: string
  /** Null for `./NAME-VERSION`. */
  readonly out: string | null
}

/**
 * Make a package of one file, without signatures; what `content` throws goes on, and what was written until then stays.
 * @returns its folder
 * @throws EdgeError `PACKAGE_INVALID` for a name that is none, `OUTPUT_REFUSED`
 */
export async function packSoleFile(
  { kind, name, version, out }: SoleFileWish,
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<string> {
  const signed = (bytes: number, sha256: string): SignedPackage => ({
    statement: { v: 1, kind, name, version, files: [{ path, bytes, sha256 }] },
    signatures: [],
  })
  // A name that cannot stand in it is told before anything is written.
  parseSignedPackage(JSON.stringify(signed(0, '0'.repeat(64))), `what would be the ${PACKAGE_FILE} of ${name}`)
  const folder = out ?? `${name}-${version}`
  const hash = createHash('sha256')
  let bytes = 0
  try {
    await makeFolder(folder)
    if ((await readdir(folder)).length > 0) throw new Error('something is there already')
    const file = await open(join(folder, path), 'wx')
    try {
      for await (const chunk of content) {
        hash.update(chunk)
        bytes += chunk.length
        await file.appendFile(chunk)
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof EdgeError) throw error
    throw new EdgeError('OUTPUT_REFUSED', {
      message: `the package cannot be written to ${folder}: ${messageOf(error)}`,
      next: ['name a folder that is not there yet with --out'],
      cause: error,
    })
  }
  writePackageFile(folder, signed(bytes, hash.digest('hex')))
  return folder
}
