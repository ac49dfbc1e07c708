import type { z } from 'zod'
import type { Item } from '../../protocol/change.ts'
import type { DELIVERY_ARGS, Taken, Wanted } from '../../protocol/delivery.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { BlobFile } from './blob-file.ts'
import type { IncomingPackage } from './incoming-package.ts'
import type { IncomingPackages } from './incoming-packages.ts'

/** What a console offers. */
export type OfferArgs = z.infer<(typeof DELIVERY_ARGS)['package.offer']>
/** What a console puts. */
export type PutArgs = z.infer<(typeof DELIVERY_ARGS)['package.put']>

interface Offer {
  readonly item: Item
  readonly statementBytes: number
  /** Who may put: whoever offered it. */
  readonly by: Set<string>
  statement: Buffer
  incoming: IncomingPackage | null
  /** The blob that is written at. */
  file: BlobFile | null
  touchedAtMs: number
  idle: NodeJS.Timeout | null
  /** Puts are taken one after the other, as they came. */
  turn: Promise<unknown>
}

/** Packages that consoles bring at the same time. */
const MOST_OFFERS = 4
/** An offer that nobody goes on with gives its place to another, and the blob that was written at to a source. */
const IDLE_MS = 20_000

/** Takes packages that consoles bring over their links (`protocol/delivery.ts`). It holds a put or two in memory and no more. */
export class LinkIntake {
  readonly #packages: IncomingPackages
  readonly #offers = new Map<string, Offer>()

  constructor(packages: IncomingPackages) {
    this.#packages = packages
  }

  /**
   * Somebody brings a package.
   * @throws EdgeError `OVERLOADED`, `DISK_FULL`, `PACKAGE_UNTRUSTED` where this node takes none
   */
  async offer({ item, statementBytes }: OfferArgs, by: string): Promise<Taken> {
    if ((await this.#packages.place.findWhole(item.digest)) !== null) return { kept: true }
    if (this.#packages.place.trust.length === 0) {
      throw new EdgeError('PACKAGE_UNTRUSTED', {
        message: 'this node trusts no key for packages, so it takes none',
        next: ['name the public keys of those who sign packages in models.trust of the node'],
      })
    }
    const offer = await this.#offerOf({ item, statementBytes }, by)
    return this.#inTurn(offer, async () => {
      if (offer.incoming === null) {
        return { kept: false, wanted: [{ blob: 'statement', bytes: statementBytes, have: offer.statement.length }] }
      }
      return this.#wants(offer, offer.incoming)
    })
  }

  /**
   * A stretch of what was offered.
   * @throws EdgeError `CHANGE_UNFIT` when nobody, or somebody else, offered it, `PACKAGE_INVALID`, `PACKAGE_UNTRUSTED`, `DISK_FULL`
   */
  async put({ digest, blob, offset, data }: PutArgs, by: string): Promise<Taken> {
    const offer = this.#offers.get(digest)
    if (offer === undefined || !offer.by.has(by)) {
      if ((await this.#packages.place.find(digest)) !== null) return { kept: true }
      throw new EdgeError('CHANGE_UNFIT', {
        message: 'this package was not offered, or the offer is over',
        next: ['offer it again'],
      })
    }
    this.#touch(offer)
    return this.#inTurn(offer, async () => {
      const bytes = Buffer.from(data, 'base64')
      try {
        return blob === 'statement'
          ? await this.#putStatement(offer, offset, bytes)
          : await this.#putBlob(offer, blob, { at: offset, data: bytes })
      } catch (error) {
        await this.#letGo(offer)
        throw this.#packages.refusalOf(error)
      }
    })
  }

  /** Let go of what is written at. */
  async stop(): Promise<void> {
    for (const offer of [...this.#offers.values()]) await this.#drop(offer)
  }

  async #offerOf({ item, statementBytes }: Pick<Offer, 'item' | 'statementBytes'>, by: string): Promise<Offer> {
    const there = this.#offers.get(item.digest)
    if (there !== undefined && there.statementBytes === statementBytes) {
      there.by.add(by)
      this.#touch(there)
      return there
    }
    if (there !== undefined) await this.#drop(there)
    const idle = [...this.#offers.values()].filter(({ touchedAtMs }) => performance.now() - touchedAtMs > IDLE_MS)
    for (const offer of idle) await this.#drop(offer)
    if (this.#offers.size >= MOST_OFFERS) {
      throw new EdgeError('OVERLOADED', {
        message: `${MOST_OFFERS} packages are being brought to this node already`,
        next: ['wait until one of them is there'],
      })
    }
    const begun = await this.#packages.begun(item)
    const offer: Offer = {
      item,
      statementBytes,
      by: new Set([by]),
      statement: Buffer.alloc(0),
      incoming: begun,
      file: null,
      touchedAtMs: performance.now(),
      idle: null,
      turn: Promise.resolve(),
    }
    this.#offers.set(item.digest, offer)
    return offer
  }

  async #putStatement(offer: Offer, offset: number, bytes: Buffer): Promise<Taken> {
    if (offer.incoming !== null) return this.#wants(offer, offer.incoming)
    if (offset === offer.statement.length && offset + bytes.length <= offer.statementBytes) {
      offer.statement = Buffer.concat([offer.statement, bytes])
    }
    const have = offer.statement.length
    if (have < offer.statementBytes) return { kept: false, have }
    const { statement } = offer
    offer.statement = Buffer.alloc(0)
    offer.incoming = await this.#packages.begin(offer.item, statement)
    return { ...(await this.#wants(offer, offer.incoming)), have }
  }

  /** What is still to come; a package of which everything is here already is kept at once. */
  async #wants(offer: Offer, incoming: IncomingPackage): Promise<Taken> {
    await this.#packages.mustHaveRoom(incoming)
    const wanted: Wanted[] = incoming
      .missing()
      .map(({ sha256: blob, sizeBytes: bytes, have }) => ({ blob, bytes, have }))
    return wanted.length === 0 ? this.#keep(offer, incoming) : { kept: false, wanted }
  }

  async #putBlob(offer: Offer, sha256: string, piece: { at: number; data: Buffer }): Promise<Taken> {
    const { incoming } = offer
    if (incoming === null) return { kept: false, have: 0 }
    const blob = incoming.missing().find((missing) => missing.sha256 === sha256)
    if (blob === undefined) return incoming.missing().length === 0 ? this.#keep(offer, incoming) : { kept: false }
    if (offer.file !== null && offer.file.blob.sha256 !== sha256) await this.#letGo(offer)
    offer.file ??= await incoming.claim(sha256)
    const { file } = offer
    // A source writes at it.
    if (file === null) return { kept: false, have: blob.have }
    const { ended } = this.#packages
    await file.add(piece, async (bytes, busyMs) => {
      incoming.grew(file)
      await this.#packages.took(bytes, busyMs, ended)
    })
    const have = file.have
    if (!file.isFull) return { kept: false, have }
    offer.file = null
    if ((await incoming.release(file)) === 'wrong') {
      throw new EdgeError('PACKAGE_INVALID', {
        message: `what came for ${sha256} is something else; it was thrown away`,
        next: ['push the package again from where it was made'],
      })
    }
    return incoming.missing().length === 0 ? { ...(await this.#keep(offer, incoming)), have } : { kept: false, have }
  }

  async #keep(offer: Offer, incoming: IncomingPackage): Promise<Taken> {
    try {
      await this.#packages.accept(incoming)
    } finally {
      // Kept or thrown away: what is offered next begins anew. Not before, since pieces sent again may still be on their way.
      if (this.#offers.get(offer.item.digest) === offer) this.#offers.delete(offer.item.digest)
    }
    return { kept: true }
  }

  #touch(offer: Offer): void {
    offer.touchedAtMs = performance.now()
    if (offer.idle !== null) clearTimeout(offer.idle)
    offer.idle = setTimeout(() => void this.#inTurn(offer, () => this.#letGo(offer)).catch(() => {}), IDLE_MS).unref()
  }

  async #letGo(offer: Offer): Promise<void> {
    const { file, incoming } = offer
    offer.file = null
    if (file !== null) await incoming?.release(file)
  }

  async #drop(offer: Offer): Promise<void> {
    this.#offers.delete(offer.item.digest)
    if (offer.idle !== null) clearTimeout(offer.idle)
    await offer.turn
    await this.#letGo(offer)
  }

  #inTurn<T>(offer: Offer, work: () => Promise<T>): Promise<T> {
    const done = offer.turn.then(work)
    offer.turn = done.catch(() => {})
    return done
  }
}
