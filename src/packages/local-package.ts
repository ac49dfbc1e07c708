import { open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { verifyFolder } from '../../packages/verify-folder.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { PACKAGE_FILE, parseSignedPackage, type Statement } from '../../protocol/package.ts'

/** A file of a package, by its content. */
export interface LocalBlob {
  readonly sha256: string
  readonly sizeBytes: number
  readonly path: string
}

/** A package on this machine that is to go elsewhere. */
export interface LocalPackage {
  readonly digest: string
  readonly statement: Statement
  /** The bytes of `package.sig`. */
  readonly signed: Uint8Array
  /** Each content once. */
  readonly blobs: readonly LocalBlob[]
}

/**
 * Verify a folder's package as a whole, and see that somebody signed it.
 * @throws EdgeError `PACKAGE_INVALID`, and `PACKAGE_UNTRUSTED` for one that nobody signed
 */
export async function readLocalPackage(folder: string): Promise<LocalPackage> {
  const { statement, digest } = await verifyFolder({ folder: resolve(folder), trust: null })
  const path = join(resolve(folder), PACKAGE_FILE)
  const signed = await readFile(path)
  if (parseSignedPackage(signed.toString(), path).signatures.length === 0) {
    throw new EdgeError('PACKAGE_UNTRUSTED', {
      message: `nobody has signed ${statement.name}@${statement.version}, so no node would take it`,
      next: ['sign it first: edgedeck model sign'],
    })
  }
  const blobs = new Map<string, LocalBlob>()
  for (const { path: inside, sha256, bytes } of statement.files) {
    blobs.set(sha256, { sha256, sizeBytes: bytes, path: join(resolve(folder), inside) })
  }
  return { digest, statement, signed, blobs: [...blobs.values()] }
}

/** Bytes of a file from an offset on, as many as there are up to the length. */
export async function readStretch(path: string, offset: number, lengthBytes: number): Promise<Uint8Array> {
  const handle = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(lengthBytes)
    let read = 0
    while (read < lengthBytes) {
      const { bytesRead } = await handle.read(buffer, read, lengthBytes - read, offset + read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    return buffer.subarray(0, read)
  } finally {
    await handle.close()
  }
}
