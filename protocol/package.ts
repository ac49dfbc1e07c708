import { z } from 'zod'
import { canonicalJson } from './canonical-json.ts'
import { EdgeError, messageOf } from './errors.ts'

/**
 * A package: a folder of files with one signed statement over all of them, in `package.sig`. It is verified before any of
 * its files is looked at. Content is addressed by digest: over whatever it travels, the statement is
 * `packages/<digest of the statement>` and each file `blobs/<SHA-256 of the file>`.
 */
export const PACKAGE_FILE = 'package.sig'
/** The one file of a package of kind `config`: YAML over the settings of a daemon that may change while it runs. */
export const CONFIG_FILE = 'settings.yaml'
/** Largest {@link CONFIG_FILE} that is read, bytes. */
export const MAX_CONFIG_BYTES = 64 * 1024
/** Largest `package.sig` that is read, bytes. */
export const MAX_PACKAGE_FILE_BYTES = 256 * 1024
/** Most bytes of all files of a package. */
export const MAX_PACKAGE_BYTES = 4e9
/** Most files of a package. */
export const MAX_PACKAGE_FILES = 512

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
    .max(MAX_PACKAGE_FILES)
    .superRefine((files, context) => {
      const fault = faultOf(files)
      if (fault !== null) context.addIssue({ code: 'custom', message: fault })
    }),
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

function faultOf(files: readonly { readonly path: string; readonly bytes: number }[]): string | null {
  let total = 0
  const names = new Set<string>()
  const folders = new Set<string>()
  let before = ''
  for (const { path, bytes } of files) {
    if (path <= before) return `${path} must come after ${before}: they are sorted by path, each once`
    before = path
    total += bytes
    // Disks that take capitals for small letters would lay two files in one place.
    const folded = path.toLowerCase()
    if (folded === PACKAGE_FILE) return `${PACKAGE_FILE} cannot be over itself`
    if (names.has(folded)) return `${path} is there twice but for capitals`
    names.add(folded)
    for (let at = folded.indexOf('/'); at >= 0; at = folded.indexOf('/', at + 1)) folders.add(folded.slice(0, at))
  }
  for (const name of names) if (folders.has(name)) return `${name} cannot be both a file and a folder`
  return total > MAX_PACKAGE_BYTES ? `all files have ${total} bytes, and at most ${MAX_PACKAGE_BYTES} are taken` : null
}

/**
 * Read what `package.sig` holds, and believe none of it.
 * @param from what the text was read from, for the message.
 * @throws EdgeError `PACKAGE_INVALID`.
 */
export function parseSignedPackage(text: string, from: string): SignedPackage {
  let value: unknown
  try {
    if (text.length > MAX_PACKAGE_FILE_BYTES) throw new RangeError(`it has over ${MAX_PACKAGE_FILE_BYTES} characters`)
    value = JSON.parse(text)
  } catch (error) {
    throw notASignature(from, messageOf(error))
  }
  const read = signedPackageSchema.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw notASignature(from, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is not of the schema'}`)
}

function notASignature(from: string, why: string): EdgeError {
  return new EdgeError('PACKAGE_INVALID', {
    message: `${from} is not the statement of a package: ${why.slice(0, 300)}`,
    next: ['pack the folder again: edgedeck model pack'],
  })
}

/** The text that is signed and whose SHA-256 is the package's digest. */
export function statementText(statement: Statement): string {
  return `edgedeck package v1\n${canonicalJson(statement)}`
}
