import { join } from 'node:path'
import type { PackageSigner } from '../identity/package-signature.ts'
import type { Item } from '../protocol/change.ts'
import { EdgeError } from '../protocol/errors.ts'
import { MANIFEST_FILE, MAX_SAMPLE_BYTES, type Manifest } from '../protocol/model-manifest.ts'
import type { Statement } from '../protocol/package.ts'
import { readManifest } from './model-folder.ts'
import { inspectOnnx } from './onnx-graph.ts'
import { type VerifiedPackage, verifyFolder } from './verify-folder.ts'

/** A verified package that holds a model. */
export interface OpenedPackage extends VerifiedPackage {
  readonly item: Item
  readonly manifest: Manifest
}

/** @see openPackage */
export interface OpenOptions {
  /** Keys of which one must have signed; null where a folder was put here by hand and need not be signed. */
  readonly trust: readonly PackageSigner[] | null
  readonly digest?: string
  readonly signal?: AbortSignal
}

/**
 * Open a model's package: verified as a whole, then its manifest and what it says of files and name against the statement,
 * and each variant's graph (`inspectOnnx`).
 *
 * @throws EdgeError `PACKAGE_UNTRUSTED`, `PACKAGE_INVALID`, or `MODEL_INVALID` for a manifest or graph that is not sound.
 */
export async function openPackage(folder: string, options: OpenOptions): Promise<OpenedPackage> {
  const verified = await verifyFolder({ folder, ...options })
  const { statement, digest } = verified
  const { kind, name, version } = statement
  if (kind !== 'model') throw invalid(`${folder} is a package of kind ${kind}, not a model`)
  const manifest = await readManifest(folder)
  if (manifest.name !== name || manifest.version !== version) {
    throw invalid(
      `${join(folder, MANIFEST_FILE)} is of ${manifest.name}@${manifest.version}, the statement over it of ${name}@${version}`,
    )
  }
  const files = new Map(statement.files.map((file) => [file.path, file]))
  for (const variant of manifest.variants) {
    const file = files.get(variant.file)
    if (file?.sha256 !== variant.sha256 || file.bytes !== variant.bytes) {
      throw invalid(`variant ${variant.name} of ${name}@${version} is not the file ${variant.file} of the package`)
    }
  }
  for (const variant of manifest.variants) inspectOnnx(join(folder, variant.file))
  requireSamples(manifest, statement)
  return { ...verified, item: { kind, name, version, digest }, manifest }
}

/**
 * See that the pictures of a model's self-test are in its package, and small enough to be read.
 * @throws EdgeError `PACKAGE_INVALID`
 */
export function requireSamples({ name, version, selfTest }: Manifest, { files }: Pick<Statement, 'files'>): void {
  for (const sample of selfTest) {
    const said = `${sample.file}, a self-test of ${name}@${version},`
    const bytes = files.find(({ path }) => path === sample.file)?.bytes
    if (bytes === undefined) throw invalid(`${said} is not in the package`)
    if (bytes <= MAX_SAMPLE_BYTES) continue
    throw new EdgeError('PACKAGE_INVALID', {
      message: `${said} has ${bytes} bytes, and at most ${MAX_SAMPLE_BYTES} are read of one`,
      next: ['take a smaller picture, as devices send them, and pack the folder again: edgedeck model pack'],
    })
  }
}

function invalid(message: string): EdgeError {
  return new EdgeError('PACKAGE_INVALID', { message, next: ['pack the folder again: edgedeck model pack'] })
}
