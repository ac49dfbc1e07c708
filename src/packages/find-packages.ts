import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOfStatement, type PackageSigner, signersOf } from '../../identity/package-signature.ts'
import { openPackage } from '../../packages/model-package.ts'
import { readPackageFile, verifyFolder } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { PACKAGE_FILE, type SignedPackage, type Statement } from '../../protocol/package.ts'

/** A package as it lies in a folder. */
export interface FoundPackage {
  readonly folder: string
  /** Null when its statement cannot be read. */
  readonly kind: Statement['kind'] | null
  readonly name: string | null
  readonly version: string | null
  readonly digest: string | null
  readonly bytes: number | null
  /** `precision` of each variant of a model. */
  readonly variants: readonly string[]
  /** Ids of the keys that it names; whether they truly signed is known of those that are trusted only. */
  readonly signatures: readonly { readonly key: string; readonly isTrusted: boolean }[]
  /** What is wrong with it; null when it is whole. */
  readonly fault: string | null
}

/** The packages of a folder: itself, or those directly below it, each verified as a whole. @throws EdgeError `PACKAGE_MISSING` */
export async function findPackages(folder: string, trust: readonly PackageSigner[]): Promise<FoundPackage[]> {
  const found: FoundPackage[] = []
  for (const inside of await packageFolders(folder)) found.push(await look(inside, trust))
  return found
}

/** What a package of a folder says of itself; neither its files nor its signatures are verified. */
export interface ToldPackage {
  readonly folder: string
  readonly signed: SignedPackage
  /** When it was packed or signed last, Unix ms. */
  readonly changedAtMs: number
}

/**
 * What the packages of a folder say of themselves, which is known at once however large they are; those that cannot be read
 * are passed over.
 * @throws EdgeError `PACKAGE_MISSING`
 */
export async function toldPackages(folder: string, signal: AbortSignal): Promise<ToldPackage[]> {
  const told: ToldPackage[] = []
  for (const inside of await packageFolders(folder)) {
    signal.throwIfAborted()
    try {
      const { mtimeMs } = await stat(join(inside, PACKAGE_FILE))
      told.push({ folder: inside, signed: await readPackageFile(inside), changedAtMs: mtimeMs })
    } catch {
      // `edgedeck model list` tells what is wrong with it.
    }
  }
  return told
}

async function packageFolders(folder: string): Promise<string[]> {
  const names = await namesIn(folder)
  if (names.includes(PACKAGE_FILE)) return [folder]
  const found: string[] = []
  for (const name of names) {
    const inside = join(folder, name)
    const file = await stat(join(inside, PACKAGE_FILE)).catch(() => null)
    if (file !== null) found.push(inside)
  }
  return found
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    throw new EdgeError('PACKAGE_MISSING', {
      message: `${folder} cannot be read: ${messageOf(error)}`,
      next: ['name a package, or a folder with packages in it'],
      cause: error,
    })
  }
}

async function look(folder: string, trust: readonly PackageSigner[]): Promise<FoundPackage> {
  let signed: SignedPackage
  try {
    signed = await readPackageFile(folder)
  } catch (error) {
    const nothing = { kind: null, name: null, version: null, digest: null, bytes: null, variants: [], signatures: [] }
    return { folder, ...nothing, fault: messageOf(error) }
  }
  const { statement, signatures } = signed
  const good = signersOf(signed, trust)
  const said = {
    folder,
    kind: statement.kind,
    name: statement.name,
    version: statement.version,
    digest: digestOfStatement(statement),
    bytes: statement.files.reduce((sum, file) => sum + file.bytes, 0),
    signatures: signatures.map(({ key }) => ({ key, isTrusted: good.includes(key) })),
  }
  try {
    if (statement.kind !== 'model') {
      await verifyFolder({ folder, trust: null })
      return { ...said, variants: [], fault: null }
    }
    const { manifest } = await openPackage(folder, { trust: null })
    return { ...said, variants: manifest.variants.map(({ precision }) => precision), fault: null }
  } catch (error) {
    return { ...said, variants: [], fault: messageOf(error) }
  }
}
