import type { Item } from '../../protocol/change.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { SignedPackage } from '../../protocol/package.ts'
import type { DeliveredPackage, PackagePlace } from './contract.ts'
import { asDiskFull, type DiskRoom, lackingBytes, mustHaveRoom, mustStayFree } from './disk-room.ts'
import { IncomingPackage, statementOf } from './incoming-package.ts'
import { bytesFreedBy, type Leftover, leftoversIn, removeLeftover } from './leftovers.ts'
import type { Pace } from './pace.ts'
import { readStatement } from './read-statement.ts'

/** @see IncomingPackages */
export interface IncomingPackagesOptions {
  readonly place: PackagePlace
  readonly pace: Pace
  readonly room: DiskRoom
}

/** What came of a package that nobody went on with for so long is removed at the next start. */
const FORGOTTEN_MS = 14 * 86_400_000
/** Most of them that outlive a start. */
const MOST_KEPT = 8
/** So much may come until the disk is looked at again. */
const LOOK_EVERY_BYTES = 4 * 1024 * 1024

/**
 * Every package on its way to this node, each once, whoever brings it: a source that is asked, a console that puts it here,
 * or both at the same time.
 */
export class IncomingPackages {
  readonly place: PackagePlace
  readonly #pace: Pace
  readonly #room: DiskRoom
  readonly #open = new Map<string, Promise<IncomingPackage>>()
  readonly #accepting = new Map<IncomingPackage, Promise<DeliveredPackage>>()
  readonly #wanted = new Set<{ readonly digest: string }>()
  readonly #arrived = new Set<(digest: string) => void>()
  readonly #ended = new AbortController()
  #unlookedBytes = 0

  constructor({ place, pace, room }: IncomingPackagesOptions) {
    this.place = place
    this.#pace = pace
    this.#room = room
  }

  /** Remove what nobody came back for. Never throws. */
  async start(nowMs = Date.now()): Promise<void> {
    const found = await leftoversIn(this.place.incoming)
    const old = found.filter(({ atMs }, at) => at < found.length - MOST_KEPT || nowMs - atMs > FORGOTTEN_MS)
    for (const one of old) await removeLeftover(one)
  }

  /** Somebody fetches a package, and may pause for long: what came of it stays until what is returned is called. */
  want(digest: string): () => void {
    const wish = { digest }
    this.#wanted.add(wish)
    return () => void this.#wanted.delete(wish)
  }

  stop(): void {
    this.#ended.abort(new EdgeError('NOT_READY', { message: 'the node stops', next: ['try again when it is back'] }))
  }

  /** Aborted when the node stops. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** What came of a package before, its statement verified again; null when nothing did. */
  async begun(item: Item): Promise<IncomingPackage | null> {
    const open = this.#open.get(item.digest)
    if (open !== undefined) return open
    const bytes = await statementOf(this.place, item.digest)
    if (bytes === null) return null
    let signed: SignedPackage
    try {
      signed = readStatement(bytes, item, this.place.trust)
    } catch {
      // Damaged, or trusted no more: it is asked for anew.
      return null
    }
    return this.#take(item.digest, signed)
  }

  /**
   * Begin with a statement as it came from outside, or go on.
   * @throws EdgeError `PACKAGE_INVALID`, `PACKAGE_UNTRUSTED`, `DISK_FULL`
   */
  async begin(item: Item, statement: Uint8Array): Promise<IncomingPackage> {
    return this.#take(item.digest, readStatement(statement, item, this.place.trust))
  }

  /**
   * What came of packages that nobody brings any more makes room for it, where that is enough.
   * @throws EdgeError `DISK_FULL` when what is still to come does not fit
   */
  async mustHaveRoom({ digest, missingBytes }: IncomingPackage): Promise<void> {
    const lacking = await lackingBytes(this.place.incoming, missingBytes, this.#room)
    if (lacking > 0) await this.#makeRoom(lacking, digest)
    await mustHaveRoom(this.place.incoming, missingBytes, this.#room)
  }

  async #makeRoom(neededBytes: number, besides: string): Promise<void> {
    const idle: Leftover[] = []
    let freedBytes = 0
    for (const one of await leftoversIn(this.place.incoming)) {
      if (freedBytes >= neededBytes) break
      if (one.digest === besides || (await this.#isBrought(one.digest))) continue
      idle.push(one)
      freedBytes += await bytesFreedBy(one)
    }
    if (freedBytes < neededBytes) return
    for (const one of idle) {
      this.#open.delete(one.digest)
      await removeLeftover(one)
    }
  }

  async #isBrought(digest: string): Promise<boolean> {
    if ([...this.#wanted].some((wish) => wish.digest === digest)) return true
    const open = await this.#open.get(digest)?.catch(() => null)
    return open != null && (open.isWritten || this.#accepting.has(open))
  }

  /**
   * Keep a package of which everything is here, and tell whoever waits for it; asked by several, it is done once. What turns
   * out to be spoilt is thrown away as a whole: it would be refused each time. What the disk did not give is none of that.
   * @throws EdgeError
   */
  accept(incoming: IncomingPackage): Promise<DeliveredPackage> {
    const under = this.#accepting.get(incoming)
    if (under !== undefined) return under
    const accepting = this.#accept(incoming).finally(() => this.#accepting.delete(incoming))
    this.#accepting.set(incoming, accepting)
    return accepting
  }

  async #accept(incoming: IncomingPackage): Promise<DeliveredPackage> {
    if ((await this.#open.get(incoming.digest)?.catch(() => null)) !== incoming) return this.#acceptedBefore(incoming)
    try {
      const kept = await incoming.accept()
      this.#open.delete(incoming.digest)
      for (const tell of this.#arrived) tell(incoming.digest)
      return kept
    } catch (error) {
      if (error instanceof EdgeError && error.code !== 'PACKAGE_UNREAD') {
        this.#open.delete(incoming.digest)
        await incoming.discard().catch(() => {})
      }
      throw this.refusalOf(error)
    }
  }

  /** Who asks late, while another may be coming already, does no harm to that. */
  async #acceptedBefore({ digest }: IncomingPackage): Promise<DeliveredPackage> {
    const kept = await this.place.find(digest)
    if (kept !== null) return kept
    throw new EdgeError('PACKAGE_INVALID', {
      message: `what came of the package ${digest} was thrown away`,
      next: ['bring it again'],
    })
  }

  /** Resolves when the package was kept by somebody, or the time is over; rejects when the signal is aborted. */
  async arrival(digest: string, waitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const tell = (other: string): void => {
      if (other === digest) resolve()
    }
    const leave = (): void => reject(signal.reason)
    const timer = setTimeout(resolve, waitMs)
    signal.addEventListener('abort', leave, { once: true })
    this.#arrived.add(tell)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', leave)
      this.#arrived.delete(tell)
    }
  }

  /**
   * So many bytes were taken in and took so long; resolves when the next may be.
   * @throws EdgeError `DISK_FULL` when results and logs would have less room than they must
   */
  async took(bytes: number, busyMs: number, signal: AbortSignal): Promise<void> {
    this.#unlookedBytes += bytes
    if (this.#unlookedBytes >= LOOK_EVERY_BYTES) {
      this.#unlookedBytes = 0
      await mustStayFree(this.place.incoming, this.#room)
    }
    await this.#pace.took(bytes, busyMs, signal)
  }

  /** What a disk says, as an error that tells what to do. */
  refusalOf(error: unknown): unknown {
    if (error instanceof Error && (error as NodeJS.ErrnoException).syscall === undefined) return error
    return (
      asDiskFull(error, this.place.incoming) ??
      new EdgeError('STORE_UNUSABLE', {
        message: `${this.place.incoming} cannot be written: ${messageOf(error)}`,
        next: ['let the user of the daemon own that folder and write to it'],
        cause: error,
      })
    )
  }

  #take(digest: string, signed: SignedPackage): Promise<IncomingPackage> {
    const open = this.#open.get(digest)
    if (open !== undefined) return open
    const afterPiece = (bytes: number, busyMs: number): Promise<void> => this.took(bytes, busyMs, this.ended)
    const opening = IncomingPackage.open(digest, signed, { place: this.place, afterPiece }).catch((error) => {
      this.#open.delete(digest)
      throw this.refusalOf(error)
    })
    this.#open.set(digest, opening)
    return opening
  }
}
