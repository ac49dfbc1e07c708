import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** What new folders may be, e.g. 0o700; the system's mask where it is left out. */
export interface FolderMode {
  readonly mode?: number
}

/**
 * Make a folder and those above it; one that is there is fine. Node's own `recursive` asks for ever where a file system says
 * of a new folder that it does not exist although the one above it does, as `/proc` does: here that is a failure as any other.
 * @returns the uppermost folder that was made; undefined for none
 * @throws what the system says
 */
export async function makeFolder(path: string, options: FolderMode = {}): Promise<string | undefined> {
  const folder = resolve(path)
  let first: string | undefined
  try {
    await mkdir(folder, options)
    return folder
  } catch (error) {
    if (isMissingAbove(folder, error)) first = await makeFolder(dirname(folder), options)
    else if ((await stat(folder).catch(() => null))?.isDirectory()) return undefined
    else throw error
  }
  // Once more and no further. Another process may have been as quick.
  try {
    await mkdir(folder, options)
    return first ?? folder
  } catch (error) {
    if ((await stat(folder).catch(() => null))?.isDirectory()) return first
    throw error
  }
}

/** As {@link makeFolder}, on return. */
export function makeFolderSync(path: string, options: FolderMode = {}): string | undefined {
  const folder = resolve(path)
  let first: string | undefined
  try {
    mkdirSync(folder, options)
    return folder
  } catch (error) {
    if (isMissingAbove(folder, error)) first = makeFolderSync(dirname(folder), options)
    else if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined
    else throw error
  }
  try {
    mkdirSync(folder, options)
    return first ?? folder
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return first
    throw error
  }
}

function isMissingAbove(folder: string, error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder
}
