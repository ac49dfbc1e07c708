import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../../durable/make-folder.ts'
import { messageOf } from '../../../protocol/errors.ts'
import type { LogRow } from '../../fleet/view.ts'
import { searchLogs } from '../../link/log-search.ts'
import { plainText } from '../panes/log-lines.ts'
import type { PagesWish } from './pages.ts'

/** What became of lines that were to be saved. */
export type SavedLogs =
  | {
      readonly ok: true
      readonly file: string
      readonly lines: number
      readonly bytes: number
      /** Nodes that did not give all they have, and why. */
      readonly failed: ReadonlyMap<string, string>
      /** There are more than {@link MAX_SAVED_LINES}. */
      readonly truncated: boolean
    }
  | { readonly ok: false; readonly message: string }

/** Most lines of one file. */
export const MAX_SAVED_LINES = 2_000_000
const MAX_TRIES = 1000

/** Where and how lines are saved. */
export interface SaveOptions {
  readonly dir: string
  /** What the file is named after: nodes and time. */
  readonly name: string
  readonly zone: 'local' | 'utc'
}

/** Save rows as plain text, one a line, readable by the operator alone; no file is written over. Never throws. */
export async function saveRows(rows: readonly LogRow[], options: SaveOptions): Promise<SavedLogs> {
  return saving(options, async (write) => {
    await write(rows)
    return { failed: new Map(), truncated: false }
  })
}

/** Read a range of what the nodes keep and save it as it comes. Never throws. */
export async function saveRange(wish: PagesWish, nowMs: number, options: SaveOptions): Promise<SavedLogs> {
  return saving(options, async (write) => {
    const failed = new Map(wish.unreached.map((key) => [key, 'there is no link to the node']))
    const { fromMs, toMs, filter, nodes } = wish
    const outcome = await searchLogs(
      nodes,
      { fromMs, toMs: toMs ?? nowMs, filter, newestFirst: false, limit: MAX_SAVED_LINES },
      { rows: write, failed: (key, { message }) => failed.set(key, message) },
      new AbortController().signal,
    )
    return { failed, truncated: outcome.truncated }
  })
}

type Writing = (rows: readonly LogRow[]) => Promise<void>

async function saving(
  { dir, name, zone }: SaveOptions,
  work: (write: Writing) => Promise<{ readonly failed: ReadonlyMap<string, string>; readonly truncated: boolean }>,
): Promise<SavedLogs> {
  let lines = 0
  let bytes = 0
  try {
    await makeFolder(dir, { mode: 0o700 })
    const { handle, file } = await newFile(dir, name)
    try {
      const outcome = await work(async (rows) => {
        const text = rows.map((row) => `${plainText(row, zone)}\n`).join('')
        lines += rows.length
        bytes += Buffer.byteLength(text)
        await handle.writeFile(text)
      })
      return { ok: true, file, lines, bytes, ...outcome }
    } finally {
      await handle.close()
    }
  } catch (error) {
    return { ok: false, message: messageOf(error) }
  }
}

async function newFile(dir: string, name: string): Promise<{ readonly handle: FileHandle; readonly file: string }> {
  // A node may be called anything; a file may not.
  const safe =
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, '_')
      .replace(/^[.-]+/, '_')
      .slice(0, 100) || 'logs'
  for (let turn = 1; turn <= MAX_TRIES; turn += 1) {
    const file = join(dir, `${safe}${turn === 1 ? '' : `-${turn}`}.log`)
    const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return null
      throw error
    })
    if (handle !== null) return { handle, file }
  }
  throw new Error(`${dir} holds ${MAX_TRIES} files of this name: remove some`)
}
