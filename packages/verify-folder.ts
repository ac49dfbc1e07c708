import { createHash } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOfStatement, type PackageSigner, signersOf } from '../identity/package-signature.ts'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import {
  MAX_PACKAGE_FILE_BYTES,
  MAX_PACKAGE_FILES,
  PACKAGE_FILE,
  parseSignedPackage,
  type SignedPackage,
  type Statement,
} from '../protocol/package.ts'
import { diskFault } from './disk-fault.ts'

/** A package whose every file is, byte for byte, what its statement says. */
export interface VerifiedPackage {
  readonly folder: string
  readonly statement: Statement
  /** SHA-256 of the statement: what the package is asked for by. */
  readonly digest: string
  /** Ids of the trusted keys that signed it; empty only where no key was asked for. */
  readonly signedBy: readonly string[]
  /** Of all files together. */
  readonly bytes: number
}

/** @see verifyFolder */
export interface VerifyOptions {
  readonly folder: string
  /** One of these must have signed it; null takes what nobody signed. */
  readonly trust: readonly PackageSigner[] | null
  /** The package that was asked for. */
  readonly digest?: string
  readonly signal?: AbortSignal
}

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const READ_BYTES = 256 * 1024
const PACK_AGAIN = 'pack the folder again (edgedeck model pack) and bring the whole of it'

/** Read a folder's `package.sig`, and believe none of it. @throws EdgeError `PACKAGE_INVALID`, `PACKAGE_UNREAD`. */
export async function readPackageFile(folder: string): Promise<SignedPackage> {
  const path = join(folder, PACKAGE_FILE)
  const file = await openFile(path)
  try {
    const { size } = await file.stat()
    if (size > MAX_PACKAGE_FILE_BYTES) {
      throw invalid(`${path} has ${size} bytes, and at most ${MAX_PACKAGE_FILE_BYTES} are read`)
    }
    return parseSignedPackage(await file.readFile('utf8'), path)
  } catch (error) {
    throw told(path, error)
  } finally {
    await file.close()
  }
}

/**
 * Find out whether a signed statement is of a key that is trusted, and of the package that was asked for.
 * @returns the ids of the trusted keys.
 * @throws EdgeError `PACKAGE_UNTRUSTED` or `PACKAGE_INVALID`.
 */
export function requireSigned(signed: SignedPackage, { folder, trust, digest }: VerifyOptions): readonly string[] {
  const { name, version } = signed.statement
  const own = digestOfStatement(signed.statement)
  if (digest !== undefined && digest !== own) {
    throw invalid(`${folder} holds the package ${own} (${name}@${version}), and ${digest} was asked for`)
  }
  if (trust === null) return []
  const signedBy = signersOf(signed, trust)
  if (signedBy.length > 0) return signedBy
  const named = signed.signatures.map(({ key }) => key.slice(0, 16))
  throw new EdgeError('PACKAGE_UNTRUSTED', {
    message: `${name}@${version} in ${folder} is signed by no key that is trusted here${named.length === 0 ? '; nobody signed it' : `; it names ${named.join(', ')}`}`,
    next: [
      'sign it with a key that the node trusts: edgedeck model sign',
      'or let the node trust the public key: models.trust',
    ],
  })
}

/**
 * Verify a package as a whole before anything of it is looked at: first who signed, then that the folder holds the
 * files of the statement and nothing else (no link, no pipe), each of its size and digest.
 *
 * @throws EdgeError `PACKAGE_UNTRUSTED` without a trusted signature, `PACKAGE_UNREAD` where the disk does not give a file, so
 * that nothing is known of it, `PACKAGE_INVALID` for everything else.
 */
export async function verifyFolder(options: VerifyOptions): Promise<VerifiedPackage> {
  const { folder, signal } = options
  const signed = await readPackageFile(folder)
  const signedBy = requireSigned(signed, options)
  const { statement } = signed
  await requireOnly(folder, statement)
  let bytes = 0
  for (const file of statement.files) {
    await requireFile(join(folder, file.path), file, signal)
    bytes += file.bytes
  }
  return { folder, statement, digest: digestOfStatement(statement), signedBy, bytes }
}

/**
 * SHA-256 of a file, hex, and its size; neither a link nor anything but a file is opened.
 * @throws EdgeError `PACKAGE_INVALID`, `PACKAGE_UNREAD`.
 */
export async function digestFile(path: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const file = await openFile(path)
  try {
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(READ_BYTES)
    let bytes = 0
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(chunk, 0, READ_BYTES, null)
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
      hash.update(chunk.subarray(0, bytesRead))
      bytes += bytesRead
    }
  } catch (error) {
    throw told(path, error)
  } finally {
    await file.close()
  }
}

/** Paths of the files below a folder with `/` between their parts, sorted; bounded. @throws EdgeError for links, pipes and too many. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  const waiting = ['']
  let seen = 0
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    for await (const entry of entriesOf(join(folder, inside))) {
      seen += 1
      // Folders count too: eight of them over each file are the most that a path can have.
      if (seen > MAX_PACKAGE_FILES * 9) throw invalid(`${folder} holds more than ${MAX_PACKAGE_FILES} files`)
      const path = inside === '' ? entry.name : `${inside}/${entry.name}`
      if (entry.isDirectory()) waiting.push(path)
      else if (entry.isFile()) found.push(path)
      else throw invalid(`${join(folder, path)} is neither a file nor a folder; a package holds no links`)
    }
  }
  return found.sort((a, b) => (a < b ? -1 : 1))
}

async function* entriesOf(path: string): AsyncGenerator<Dirent> {
  try {
    if (!(await lstat(path)).isDirectory()) throw invalid(`${path} is not a folder`)
    yield* await opendir(path)
  } catch (error) {
    throw told(path, error)
  }
}

async function requireOnly(folder: string, { files }: Statement): Promise<void> {
  const named = new Set(files.map(({ path }) => path))
  const held = await filesBelow(folder)
  for (const path of held) {
    if (path !== PACKAGE_FILE && !named.has(path)) {
      throw invalid(`${join(folder, path)} is not of the package: its statement does not name it`)
    }
    named.delete(path)
  }
  const [missing] = named
  if (missing !== undefined) throw invalid(`${join(folder, missing)} is missing: the statement names it`)
}

async function requireFile(path: string, said: Statement['files'][number], signal?: AbortSignal): Promise<void> {
  const { size } = await lstat(path).catch((error: unknown) => {
    throw told(path, error)
  })
  // A wrong size needs no digest, which for a large file takes seconds.
  if (size !== said.bytes) throw invalid(`${path} has ${size} bytes, its statement says ${said.bytes}`)
  const { sha256 } = await digestFile(path, signal)
  if (sha256 !== said.sha256) throw invalid(`${path} has SHA-256 ${sha256}, its statement says ${said.sha256}`)
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | null = null
  try {
    file = await open(path, OPEN_FLAGS)
    if (!(await file.stat()).isFile()) throw invalid(`${path} is not a file`)
    return file
  } catch (error) {
    await file?.close()
    throw told(path, error)
  }
}

/** A failure at a file, told as what it says of the package: nothing, where the disk gives no bytes of it. */
function told(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof EdgeError) return error
  if ((error as NodeJS.ErrnoException).syscall === undefined) return error
  return diskFault(path, error) ?? invalid(`${path} cannot be read: ${messageOf(error)}`, error)
}

function invalid(message: string, cause?: unknown): EdgeError {
  return new EdgeError('PACKAGE_INVALID', { message, next: [PACK_AGAIN], cause })
}
