import { z } from 'zod'
import { canonicalJson } from './canonical-json.ts'

/**
 * A package: a folder of files with one signed statement over all of them, in `package.sig`. It is verified before any of
 * its files is looked at. Content is addressed by digest: over whatever it travels, the statement is
 * `packages/<digest of the statement>` and each file `blobs/<SHA-256 of the file>`.
 */
export const PACKAGE_FILE = 'package.sig'
/** Largest `package.sig` that is read, bytes. */
export const MAX_PACKAGE_FILE_BYTES = 256 * 1024
/** Most bytes of all files of a package. */
export const MAX_PACKAGE_BYTES = 4e9

const word = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-", first a letter or digit')
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case')
/** Parts of letters, digits, ".", "_" and "-" that begin with none of the marks, "/" between: never out of the folder. */
const path = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,7}$/)

/** What a package says of itself; files are sorted by path, each once, and `package.sig` is not among them. */
export const statementSchema = z.strictObject({
  v: z.literal(1),
  kind: z.enum(['model', 'config', 'labelled']),
  name: word,
  version: word,
  files: z
    .array(z.strictObject({ path, bytes: z.int().nonnegative(), sha256 }))
    .min(1)
    .max(512),
})
/** @see statementSchema */
export type Statement = z.infer<typeof statementSchema>

/** What `package.sig` holds. */
export const signedPackageSchema = z.strictObject({
  statement: statementSchema,
  /** Ed25519 over {@link statementText}; `key` is the SHA-256 of the public key's DER (SPKI), hex. */
  signatures: z.array(z.strictObject({ key: sha256, signature: z.base64().max(128) })).max(8),
})
/** @see signedPackageSchema */
export type SignedPackage = z.infer<typeof signedPackageSchema>

/** The text that is signed and whose SHA-256 is the package's digest. */
export function statementText(statement: Statement): string {
  return `edgedeck package v1\n${canonicalJson(statement)}`
}
