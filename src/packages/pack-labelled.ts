import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import {
  decodeLabelledHead,
  decodeLabelledPicture,
  LABELLED_FILE,
  type LabelledLine,
  MAX_LABELLED_LINE_CHARS,
} from '../../protocol/labelled.ts'
import { packSoleFile } from './pack-sole-file.ts'

/** What a labelled set is made of. */
export interface LabelledWish {
  /** With a folder a class, and the pictures that show it in it. */
  readonly folder: string
  readonly name: string
  readonly version: string
  /** Null for `./NAME-VERSION`. */
  readonly out: string | null
}

interface Labelled {
  readonly path: string
  readonly label: string
  /** Decides its place: pictures of a class must not stand together, since a comparison may end before the last. */
  readonly lot: string
}

/**
 * Make a package of pictures of which somebody knows what they show, without signatures. The same pictures make the same
 * package, whatever order the file system has.
 * @returns its folder, and how many pictures of how many classes are in it
 * @throws EdgeError `PACKAGE_INVALID` where the folder holds no such pictures or one that is too large, `OUTPUT_REFUSED`
 */
export async function packLabelled({ folder, name, version, out }: LabelledWish) {
  const found = await picturesBelow(folder)
  const classes = [...new Set(found.map(({ label }) => label))].sort()
  const head = JSON.stringify({ format: 1, classes, pictures: found.length })
  requireLine(decodeLabelledHead(head), folder)
  const known = new Set(classes)
  async function* lines(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`${head}\n`)
    for (const { path, label } of found) {
      const line = JSON.stringify({ label, picture: (await read(path)).toString('base64') })
      requireLine(decodeLabelledPicture(line, known), path)
      yield Buffer.from(`${line}\n`)
    }
  }
  const packed = await packSoleFile({ kind: 'labelled', name, version, out }, LABELLED_FILE, lines())
  return { folder: packed, pictures: found.length, classes: classes.length }
}

/** Pictures with what they show, in an order of chance that is the same each time. */
async function picturesBelow(folder: string): Promise<readonly Labelled[]> {
  const found: Labelled[] = []
  try {
    for (const label of await readdir(folder)) {
      if (!(await stat(join(folder, label))).isDirectory()) continue
      for (const file of await readdir(join(folder, label))) {
        const lot = createHash('sha256').update(`${label}/${file}`).digest('hex')
        found.push({ path: join(folder, label, file), label, lot })
      }
    }
  } catch (error) {
    throw invalid(`${folder} cannot be read: ${messageOf(error)}`)
  }
  if (found.length === 0) throw invalid(`${folder} holds no folder with pictures`)
  return found.sort((a, b) => (a.lot < b.lot ? -1 : 1))
}

async function read(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path)
    if (size > MAX_LABELLED_LINE_CHARS) throw new Error(`it has ${size} bytes, which is too large for a picture`)
    return await readFile(path)
  } catch (error) {
    throw invalid(`${path} cannot be taken: ${messageOf(error)}`)
  }
}

function requireLine(line: LabelledLine<unknown>, of: string): void {
  if (!line.ok) throw invalid(`${of}: what would stand in ${LABELLED_FILE} ${line.msg}`)
}

function invalid(message: string): EdgeError {
  return new EdgeError('PACKAGE_INVALID', {
    message,
    next: ['name a folder with one folder a class, called as the model calls it, and pictures in each'],
  })
}
