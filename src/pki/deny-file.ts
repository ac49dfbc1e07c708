import { randomBytes } from 'node:crypto'
import { linkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { type DenyList, type DenyListBody, signDenyList, verifyDenyList } from '../../identity/deny-list.ts'
import { type Issuer, LIFE_MS } from '../../identity/issue.ts'
import type { Trust } from '../../identity/verify.ts'
import { RENEWAL_GRACE_MS } from '../../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { readText, removeFile, replaceFile } from './durable-file.ts'

/** What is denied. */
export type Denied = Pick<DenyListBody, 'serials' | 'names'>
/** What shall be denied instead of what is. */
export type DenyChange = (denied: Denied) => Denied

const HISTORY = 'denied'
const MAX_TRIES = 50

/**
 * `deny.json`, which several processes may change: the command line and a controller. Every version is first put into the
 * folder `denied/` by a link that only one of them can make; who comes second starts from what the first one wrote. So no
 * revocation is ever overwritten, and no lock is left behind by a process that died.
 */
export class DenyFile {
  readonly #file: string
  readonly #trust: Omit<Trust, 'revoked'>

  constructor(file: string, trust: Omit<Trust, 'revoked'>) {
    this.#file = file
    this.#trust = trust
  }

  /** The list in force; null when there is none yet. @throws EdgeError `PKI_UNUSABLE` when it is damaged */
  read(): DenyList | null {
    let newest = this.#readFrom(this.#file)
    for (let next = this.#after(newest); next !== null; next = this.#after(newest)) newest = next
    return newest
  }

  /** Sign what is denied after a change as the next version, and put it in force. @throws EdgeError `PKI_UNUSABLE` */
  change(issuing: Issuer, change: DenyChange, nowMs: number): DenyList {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const held = this.read()
      const { serials, names } = change({ serials: held?.serials ?? [], names: held?.names ?? [] })
      const body: DenyListBody = {
        v: 1,
        fleet: this.#trust.fleet,
        version: (held?.version ?? 0) + 1,
        issuedAt: Math.max(nowMs, held?.issuedAt ?? 0),
        ...withoutOver({ serials, names }, nowMs),
      }
      const list = signDenyList(body, { chain: [issuing.certificate], key: issuing.key })
      if (!this.#claim(list)) continue
      this.#install(list)
      return list
    }
    throw unusable(`${this.#file} is changed by others all the time`, ['run the command again'])
  }

  /** Put a list in force; again when somebody was quicker with a later one, so that the latest stands there in the end. */
  #install(list: DenyList): void {
    for (let next: DenyList | null = list; next !== null; next = this.#after(next)) {
      replaceFile(this.#file, `${JSON.stringify(next)}\n`)
    }
  }

  /** Take a version for oneself; false when somebody else has it. */
  #claim(list: DenyList): boolean {
    const path = this.#historyPath(list.version)
    const draft = `${path}.${randomBytes(6).toString('hex')}.draft`
    replaceFile(draft, `${JSON.stringify(list)}\n`)
    try {
      linkSync(draft, path)
      return true
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw unusable(`${path} cannot be written: ${messageOf(cause)}`, ['check that its folder is yours and not full'])
    } finally {
      removeFile(draft)
    }
  }

  #after(list: DenyList | null): DenyList | null {
    return this.#readFrom(this.#historyPath((list?.version ?? 0) + 1))
  }

  #historyPath(version: number): string {
    const folder = join(dirname(this.#file), HISTORY)
    makeFolderSync(folder, { mode: 0o700 })
    return join(folder, `${version}.json`)
  }

  #readFrom(file: string): DenyList | null {
    const text = readText(file)
    if (text === null) return null
    const read = verifyDenyList(jsonOf(text), { trust: this.#trust, held: null })
    if (read.ok) return read.list
    throw unusable(`${file}: ${read.msg}`, [
      `put the newest of ${join(dirname(file), HISTORY)} in its place; without it what was revoked counts again`,
    ])
  }
}

/** What still hits some certificate. */
function withoutOver({ serials, names }: Denied, nowMs: number): Denied {
  const longestMs = LIFE_MS.service + RENEWAL_GRACE_MS
  return {
    serials: serials.filter(({ until }) => until > nowMs),
    names: names.filter(({ before }) => before + longestMs > nowMs),
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function unusable(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('PKI_UNUSABLE', { message, next })
}
