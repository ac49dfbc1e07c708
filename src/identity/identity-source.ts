import { statSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { IDENTITY_FILES, readIdentityFolder } from './identity-folder.ts'
import type { OperatorIdentity } from './operator-identity.ts'

/** Who the operator is now, or why nobody knows; `reason` is a sentence with its cure. */
export type IdentityState =
  | { readonly kind: 'held'; readonly identity: OperatorIdentity }
  | { readonly kind: 'none'; readonly reason: string }

/** Who the operator is, asked whenever it matters: a login in another terminal counts from then on. */
export interface IdentitySource {
  current(): IdentityState
}

/** Nobody: for nodes on this machine that have not joined a fleet. */
export const NO_IDENTITY: IdentitySource = {
  current: () => ({ kind: 'none', reason: 'this context has no identity: log in with edgedeck login' }),
}

/** How long what was read is believed without looking at the files again. */
const LOOK_EVERY_MS = 1000

/** The identity in a folder, read again when one of its files has changed. */
export class IdentityFolder implements IdentitySource {
  readonly #dir: string
  readonly #now: () => number
  #state: IdentityState | null = null
  #mark = ''
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(dir: string, now: () => number = () => performance.now()) {
    this.#dir = dir
    this.#now = now
  }

  current(): IdentityState {
    const nowMs = this.#now()
    if (this.#state !== null && nowMs - this.#lookedMs < LOOK_EVERY_MS) return this.#state
    this.#lookedMs = nowMs
    const mark = this.#markOfFiles()
    if (this.#state === null || mark !== this.#mark) this.#state = this.#read()
    this.#mark = mark
    return this.#state
  }

  #read(): IdentityState {
    try {
      const identity = readIdentityFolder(this.#dir)
      if (identity !== null) return { kind: 'held', identity }
      return { kind: 'none', reason: 'you are nobody in this fleet yet: log in with edgedeck login' }
    } catch (error) {
      return { kind: 'none', reason: error instanceof EdgeError ? error.toLine() : messageOf(error) }
    }
  }

  /** A text that changes when a file was replaced. */
  #markOfFiles(): string {
    return Object.values(IDENTITY_FILES)
      .map((name) => {
        const stat = statSync(join(this.#dir, name), { throwIfNoEntry: false })
        return stat === undefined ? '' : `${stat.ino}:${stat.mtimeMs}:${stat.mode}`
      })
      .join(' ')
  }
}
