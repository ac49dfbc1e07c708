import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../durable/make-folder.ts'
import { messageOf } from '../../protocol/errors.ts'
import { formatOf } from './decode.ts'

/** Where a picture was saved, or why it was not. */
export type SavedPicture =
  | { readonly ok: true; readonly file: string }
  | { readonly ok: false; readonly message: string }

const MAX_TRIES = 1000

/**
 * Save a picture as the device sent it in a folder of the operator's, as `NODE-SEQ.png` and readable by them alone. A file that is there is
 * never written over: the next free name is taken (`NODE-SEQ-2.png`). Never throws.
 */
export async function savePicture(
  dir: string,
  picture: { readonly node: string; readonly seq: number; readonly data: Uint8Array },
): Promise<SavedPicture> {
  const ending = { png: '.png', jpeg: '.jpg', none: '.bin' }[formatOf(picture.data) ?? 'none']
  const name = `${fileName(picture.node)}-${picture.seq}`
  try {
    await makeFolder(dir, { mode: 0o700 })
    for (let turn = 1; turn <= MAX_TRIES; turn += 1) {
      const file = join(dir, `${name}${turn === 1 ? '' : `-${turn}`}${ending}`)
      if (await writeNew(file, picture.data)) return { ok: true, file }
    }
    return { ok: false, message: `${dir} holds ${MAX_TRIES} files of this picture: remove some` }
  } catch (error) {
    return { ok: false, message: messageOf(error) }
  }
}

/** False when the file is there already. */
async function writeNew(file: string, data: Uint8Array): Promise<boolean> {
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null
    throw error
  })
  if (handle === null) return false
  try {
    await handle.writeFile(data)
  } finally {
    await handle.close()
  }
  return true
}

/** A node may be called anything; a file may not. */
function fileName(node: string): string {
  const safe = node.replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^[.-]+/, '_')
  return safe.slice(0, 80) || 'node'
}
