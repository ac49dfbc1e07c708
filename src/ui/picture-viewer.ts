import { missingRight, REQUESTS } from '../../protocol/rights.ts'
import type { ActingFor } from '../actions/table.ts'
import type { NodeLink } from '../link/link.ts'
import { decodePicture, type Picture } from '../pictures/decode.ts'
import { savePicture } from '../pictures/save.ts'
import type { ConsoleStore } from './console-store.ts'

/** What a viewer needs of its console. */
export interface PictureViewerParts {
  readonly link: (key: string) => NodeLink | undefined
  readonly store: ConsoleStore
  /** By what right pictures are fetched, and where. */
  readonly acting: () => ActingFor
  /** Folder for pictures that the operator saves. */
  readonly picturesDir: string
}

/** The picture that is looked at. */
export type PictureState =
  | { readonly phase: 'none' }
  | { readonly phase: 'loading' }
  | { readonly phase: 'failed'; readonly message: string; readonly next: readonly string[] }
  | {
      readonly phase: 'shown'
      readonly picture: Picture | null
      /** Why it cannot be drawn; it can be saved all the same. */
      readonly fault: string | null
      readonly contentType: string
      readonly data: Uint8Array
      readonly savedAs: string | null
    }

/** Fetches the picture of a result from its node and keeps it while it is looked at. */
export class PictureViewer {
  readonly #parts: PictureViewerParts
  #state: PictureState = { phase: 'none' }
  #of: { readonly key: string; readonly seq: number } | null = null
  #abort: AbortController | null = null

  constructor(parts: PictureViewerParts) {
    this.#parts = parts
  }

  get state(): PictureState {
    return this.#state
  }

  /** Fetch and decode; what goes wrong is told in the state. */
  async open(key: string, seq: number): Promise<void> {
    this.close()
    const abort = new AbortController()
    this.#abort = abort
    this.#of = { key, seq }
    const { rights, site } = this.#parts.acting()
    const missing = missingRight(site === null ? { ...rights, sites: '*' } : rights, REQUESTS.fetch, site ?? '')
    if (missing !== null) {
      this.#set({ phase: 'failed', message: `${missing} is missing`, next: ['ask an admin of the fleet for it'] })
      return
    }
    this.#set({ phase: 'loading' })
    const link = this.#parts.link(key)
    const outcome = await link?.fetchPicture(seq, abort.signal)
    if (abort.signal.aborted) return
    if (outcome === undefined || !outcome.ok) {
      const message = outcome?.message ?? 'there is no link to the node'
      this.#set({ phase: 'failed', message, next: outcome?.next ?? ['wait until the node is there'] })
      return
    }
    const decoded = await decodePicture(outcome.data)
    if (abort.signal.aborted) return
    this.#set({
      phase: 'shown',
      picture: decoded.ok ? decoded.picture : null,
      fault: decoded.ok ? null : decoded.message,
      contentType: outcome.contentType,
      data: outcome.data,
      savedAs: null,
    })
  }

  /** Save what is shown; answers where, or why not. */
  async save(): Promise<string> {
    const state = this.#state
    const of = this.#of
    if (state.phase !== 'shown' || of === null) return 'there is no picture to save'
    if (state.savedAs !== null) return `saved already: ${state.savedAs}`
    const saved = await savePicture(this.#parts.picturesDir, { node: of.key, seq: of.seq, data: state.data })
    if (!saved.ok) return `not saved: ${saved.message}`
    if (this.#state === state) this.#set({ ...state, savedAs: saved.file })
    return `saved: ${saved.file}`
  }

  /** Nobody looks any more. */
  close(): void {
    this.#abort?.abort()
    this.#abort = null
    this.#of = null
    this.#state = { phase: 'none' }
  }

  #set(state: PictureState): void {
    this.#state = state
    this.#parts.store.set({})
  }
}
