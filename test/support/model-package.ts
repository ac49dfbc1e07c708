import { createHash, type KeyObject } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { digestOfStatement, signPackage } from '../../identity/package-signature.ts'
import { PACKAGE_FILE, type SignedPackage, type Statement } from '../../protocol/package.ts'

/** What {@link writePackage} makes. */
export interface WrittenPackage {
  readonly folder: string
  readonly signed: SignedPackage
  readonly digest: string
}

/** Write a package of any files, signed by each of the keys. */
export async function writePackage(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  { keys = [], ...said }: Partial<Pick<Statement, 'kind' | 'name' | 'version'>> & { keys?: readonly KeyObject[] } = {},
): Promise<WrittenPackage> {
  const entries: Statement['files'] = []
  for (const path of Object.keys(files).sort()) {
    const content = Buffer.from(files[path] as string)
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
    entries.push({ path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') })
  }
  const statement: Statement = { v: 1, kind: 'model', name: 'digits', version: '1.0.0', ...said, files: entries }
  const signed = keys.reduce(signPackage, { statement, signatures: [] } as SignedPackage)
  await writeFile(join(folder, PACKAGE_FILE), JSON.stringify(signed))
  return { folder, signed, digest: digestOfStatement(statement) }
}
