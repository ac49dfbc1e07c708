import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import {
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  MAX_SAMPLE_BYTES,
  type Manifest,
  type ManifestVariant,
  manifestSchema,
  type SelfTestSample,
} from '../protocol/model-manifest.ts'
import { describeFault, readDocument } from '../settings/document.ts'
import { diskFault } from './disk-fault.ts'

const COPY_AGAIN = 'copy the whole model folder again from where it was made'

/**
 * Read and check the manifest of one model folder.
 *
 * @throws EdgeError `MODEL_INVALID` with the file, the line and what must stand there; `PACKAGE_UNREAD`.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST_FILE)
  const text = await readBounded(await insideOf(folder, MANIFEST_FILE))
  const quickly = manifestSchema.safeParse(soundJson(text))
  if (quickly.success) return quickly.data
  // JSON is YAML too, and the YAML reader knows the line of every key, and takes many times as long.
  const read = readDocument(text, manifestSchema)
  if (read.ok) return read.value
  throw invalid(read.faults.map((fault) => describeFault(file, fault)).join('\n'), [
    `correct the lines named above, or ${COPY_AGAIN}`,
  ])
}

/** What JSON text holds; undefined for what is no JSON, or names a key of an object twice. */
function soundJson(text: string): unknown {
  let held = 0
  let value: unknown
  try {
    value = JSON.parse(text, (_, inside: unknown) => {
      if (typeof inside === 'object' && inside !== null && !Array.isArray(inside)) held += Object.keys(inside).length
      return inside
    })
  } catch {
    return undefined
  }
  let written = 0
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) written += 1
  return written === held ? value : undefined
}

/**
 * Check that a variant's file lies inside the folder and is, byte for byte, what the manifest says.
 *
 * @returns the file's absolute path, free of symbolic links.
 * @throws EdgeError `MODEL_INVALID` with the file and the cure; `PACKAGE_UNREAD` where the disk does not give it.
 */
export async function verifyVariant(folder: string, variant: ManifestVariant): Promise<string> {
  const path = await insideOf(folder, variant.file)
  const hash = createHash('sha256')
  let sizeBytes = 0
  try {
    const handle = await open(path)
    try {
      sizeBytes = (await handle.stat()).size
      // A wrong size needs no digest, which for a large model takes seconds.
      if (sizeBytes === variant.bytes) {
        await pipeline(createReadStream('', { fd: handle, autoClose: false }), hash)
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw cannotRead(path, error)
  }
  if (sizeBytes !== variant.bytes) {
    throw invalid(`${path} has ${sizeBytes} bytes, its manifest says ${variant.bytes}`, [COPY_AGAIN])
  }
  const digest = hash.digest('hex')
  if (digest !== variant.sha256) {
    throw invalid(`${path} has SHA-256 ${digest}, its manifest says ${variant.sha256}`, [COPY_AGAIN])
  }
  return path
}

/**
 * Where a picture of a model's self-test lies, free of symbolic links; it is small enough to be read as a whole.
 * @throws EdgeError `MODEL_INVALID`, `PACKAGE_UNREAD`.
 */
export async function sampleOf(folder: string, sample: SelfTestSample): Promise<string> {
  const path = await insideOf(folder, sample.file)
  const { size } = await stat(path).catch((error: unknown) => {
    throw cannotRead(path, error)
  })
  if (size <= MAX_SAMPLE_BYTES) return path
  throw invalid(
    `${path}, a picture of the self-test, has ${size} bytes, and at most ${MAX_SAMPLE_BYTES} are read of one`,
    ['take a smaller picture, as devices send them'],
  )
}

/**
 * The real path of a file below the folder, refusing every way out of it: absolute, `..`, symbolic links.
 * @throws EdgeError `MODEL_INVALID`, `PACKAGE_UNREAD`.
 */
export async function insideOf(folder: string, file: string): Promise<string> {
  const wish = join(folder, file)
  if (isAbsolute(file) || file.includes('\\') || file.split('/').includes('..')) {
    throw invalid(`${join(folder, MANIFEST_FILE)} names a file outside its folder: ${JSON.stringify(file)}`, [
      'put the file into the folder and name it there',
    ])
  }
  let home: string
  let real: string
  try {
    home = await realpath(folder)
    real = await realpath(wish)
  } catch (error) {
    throw diskFault(wish, error) ?? invalid(`${wish} cannot be found: ${messageOf(error)}`, [COPY_AGAIN], error)
  }
  // Asked before it is opened: opening a pipe would wait for its writer.
  if (!(await stat(real)).isFile()) throw invalid(`${wish} is not a file`, [COPY_AGAIN])
  const way = relative(home, real)
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw invalid(`${wish} is a link out of its folder, to ${real}`, ['put the file itself into the folder'])
  }
  return real
}

async function readBounded(file: string): Promise<string> {
  try {
    const handle = await open(file)
    try {
      const { size } = await handle.stat()
      if (size > MAX_MANIFEST_BYTES) {
        throw invalid(`${file} has ${size} bytes, a manifest has at most ${MAX_MANIFEST_BYTES}`, [COPY_AGAIN])
      }
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw cannotRead(file, error)
  }
}

function cannotRead(path: string, error: unknown): EdgeError {
  if (error instanceof EdgeError) return error
  const next = ['let the user of the daemon read it']
  return diskFault(path, error) ?? invalid(`${path} cannot be read: ${messageOf(error)}`, next, error)
}

function invalid(message: string, next: readonly string[], cause?: unknown): EdgeError {
  return new EdgeError('MODEL_INVALID', { message, next, cause })
}
