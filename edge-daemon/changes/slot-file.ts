import { renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { putFile, putFolder, readSmallFile } from '../../durable/durable-file.ts'
import { makeFolder } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { EMPTY_SLOT, type SlotState, slotStateSchema } from './slot-state.ts'

const MAX_FILE_BYTES = 1024 * 1024

/** Keeps the slot in one small file: a crash at any moment leaves the state before or the state after. */
export class SlotFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /**
   * What was kept; an empty slot where nothing was. A file that is damaged is put beside and told in `damage`: a node
   * must start without it.
   * @throws EdgeError `STORE_UNUSABLE` when it cannot be read at all
   */
  read(): { readonly state: SlotState; readonly damage: string | null } {
    try {
      const held = readSmallFile(this.#path, MAX_FILE_BYTES)
      if (held === null) return { state: EMPTY_SLOT, damage: null }
      const read = decodeSlot(held.text)
      if (read.ok) return { state: read.state, damage: null }
      const aside = `${this.#path}.damaged`
      renameSync(this.#path, aside)
      return {
        state: EMPTY_SLOT,
        damage: `what this node knew of changes cannot be read (${read.msg}); it lies in ${aside}`,
      }
    } catch (error) {
      throw new EdgeError('STORE_UNUSABLE', {
        message: `${this.#path} cannot be read: ${messageOf(error)}`,
        next: ['give it to the user that edge-daemon runs as'],
        cause: error,
      })
    }
  }

  /**
   * The disk has it when it resolves; this thread, which answers devices, does not wait for it. One at a time.
   * @throws EdgeError `STORE_FAILING`; then what was there before is there still
   */
  async write(state: SlotState): Promise<void> {
    const folder = dirname(this.#path)
    try {
      const made = await makeFolder(folder, { mode: 0o700 })
      if (made !== undefined) await putFolder(dirname(folder))
      await putFile(this.#path, JSON.stringify(state), { isSole: true })
    } catch (error) {
      throw new EdgeError('STORE_FAILING', {
        message: `it cannot be written down how far the change is, in ${this.#path}: ${messageOf(error)}`,
        next: ['make room on the disk of the state folder, and send it again'],
        cause: error,
      })
    }
  }
}

/** Read what a slot file holds. Never throws. */
export function decodeSlot(
  text: string,
): { readonly ok: true; readonly state: SlotState } | { readonly ok: false; readonly msg: string } {
  try {
    const parsed = slotStateSchema.safeParse(JSON.parse(text))
    if (parsed.success) return { ok: true, state: parsed.data }
    const [issue] = parsed.error.issues
    return { ok: false, msg: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` }
  } catch (error) {
    return { ok: false, msg: messageOf(error) }
  }
}
