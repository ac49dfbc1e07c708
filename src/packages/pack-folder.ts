import { constants } from 'node:fs'
import { copyFile, lstat, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { replaceFile } from '../../durable/durable-file.ts'
import { makeFolder } from '../../durable/make-folder.ts'
import { readManifest, verifyVariant } from '../../packages/model-folder.ts'
import { type OpenedPackage, openPackage, requireSamples } from '../../packages/model-package.ts'
import { digestFile, filesBelow } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { PACKAGE_FILE, parseSignedPackage, type SignedPackage, type Statement } from '../../protocol/package.ts'

/**
 * Make a package of a model folder: its manifest and graphs are checked, its files copied to `out` (the folder itself
 * packs it in place), and a statement over all of them written, without signatures.
 *
 * @param wish where it goes; null for `./NAME-VERSION`
 * @throws EdgeError `MODEL_INVALID` or `PACKAGE_INVALID` for what cannot be packed, `OUTPUT_REFUSED` when `out` is there
 */
export async function packModel(folder: string, wish: string | null): Promise<OpenedPackage> {
  const manifest = await readManifest(folder)
  if (manifest.selfTest.length === 0) {
    throw new EdgeError('MODEL_INVALID', {
      message: `${folder} is of format 1, and a node that gets a package tries it first`,
      next: ['write "format": 2 into its manifest.json, and name at least one picture with its class as selfTest'],
    })
  }
  for (const variant of manifest.variants) await verifyVariant(folder, variant)
  const paths = (await filesBelow(folder)).filter((path) => path !== PACKAGE_FILE)
  const files: Statement['files'] = []
  for (const path of paths) files.push({ path, ...(await digestFile(join(folder, path))) })
  requireSamples(manifest, { files })
  const { name, version } = manifest
  const out = wish ?? `${name}-${version}`
  const signed: SignedPackage = { statement: { v: 1, kind: 'model', name, version, files }, signatures: [] }
  const text = textOf(signed)
  // What a node would not read is not written either: names of files above all.
  parseSignedPackage(text, `what would be the ${PACKAGE_FILE} of ${folder}`)
  if (resolve(out) !== resolve(folder)) await copyTo(folder, out, paths)
  write(out, text)
  return await openPackage(out, { trust: null })
}

/** Write a package's statement anew, with what signatures it has now. @throws EdgeError `OUTPUT_REFUSED` */
export function writePackageFile(folder: string, signed: SignedPackage): void {
  write(folder, textOf(signed))
}

function textOf(signed: SignedPackage): string {
  return `${JSON.stringify(signed, null, 2)}\n`
}

function write(folder: string, text: string): void {
  try {
    replaceFile(join(folder, PACKAGE_FILE), text, { mode: 0o644 })
  } catch (error) {
    throw refused(folder, messageOf(error), error)
  }
}

async function copyTo(folder: string, out: string, paths: readonly string[]): Promise<void> {
  if (await isInside(out, folder)) throw refused(out, `it lies in ${folder}, which is packed`)
  try {
    await makeFolder(out)
    if ((await readdir(out)).length > 0) throw refused(out, 'something is there already')
    for (const path of paths) {
      await makeFolder(dirname(join(out, path)))
      await copyFile(join(folder, path), join(out, path), constants.COPYFILE_EXCL)
    }
  } catch (error) {
    throw error instanceof EdgeError ? error : refused(out, messageOf(error), error)
  }
}

async function isInside(path: string, folder: string): Promise<boolean> {
  if (!(await lstat(folder)).isDirectory()) return false
  return `${resolve(path)}/`.startsWith(`${resolve(folder)}/`)
}

function refused(out: string, why: string, cause?: unknown): EdgeError {
  return new EdgeError('OUTPUT_REFUSED', {
    message: `the package cannot be written to ${out}: ${why}`,
    next: ['name a folder that is not there yet with --out'],
    cause,
  })
}
