import { messageOf } from '../../../protocol/errors.ts'
import { type UntrustedText, untrusted } from '../../../protocol/untrusted-text.ts'
import type { PackageOffer, PackageOffers, PackagePlace } from './face.ts'

/** What is known of packages so far. */
export interface Catalogued extends PackageOffers {
  /** Places that have not answered yet. */
  readonly reading: readonly UntrustedText[]
}

/** The packages of several places, each of which answers when it can: none is waited for by the others. */
export class Catalogue {
  readonly #places: readonly PackagePlace[]
  readonly #answers = new Map<PackagePlace, PackageOffers>()

  constructor(places: readonly PackagePlace[]) {
    this.#places = places
  }

  /** Read every place, and tell whenever one has answered. Never rejects. */
  async read(signal: AbortSignal, changed: () => void): Promise<void> {
    const one = async (place: PackagePlace): Promise<void> => {
      const answer = await place.read(signal).catch((error: unknown): PackageOffers => {
        return { offers: [], faults: [untrusted(`${place.name} cannot be read: ${messageOf(error)}`)] }
      })
      if (signal.aborted) return
      this.#answers.set(place, answer)
      changed()
    }
    await Promise.all(this.#places.map(one))
  }

  /** What is known now: each package once, the newest first, then those of which nobody says when, in the order of places. */
  now(): Catalogued {
    const byDigest = new Map<string, PackageOffer>()
    for (const place of this.#places) {
      for (const offer of this.#answers.get(place)?.offers ?? []) {
        const { digest } = offer.item
        const other = byDigest.get(digest)
        byDigest.set(digest, other === undefined ? offer : together(other, offer))
      }
    }
    const newest = (offer: PackageOffer): number => offer.sinceMs ?? Number.NEGATIVE_INFINITY
    return {
      offers: [...byDigest.values()].sort((one, other) =>
        newest(one) < newest(other) ? 1 : newest(one) > newest(other) ? -1 : 0,
      ),
      faults: this.#places.flatMap((place) => this.#answers.get(place)?.faults ?? []),
      reading: this.#places.filter((place) => !this.#answers.has(place)).map(({ name }) => name),
    }
  }
}

/** One package that lies in two places. */
function together(one: PackageOffer, other: PackageOffer): PackageOffer {
  return {
    ...one,
    sizeBytes: one.sizeBytes ?? other.sizeBytes,
    sinceMs: one.sinceMs ?? other.sinceMs,
    signedBy: one.signedBy.length > 0 ? one.signedBy : other.signedBy,
    where: untrusted(`${one.where}; ${other.where}`),
    push: one.push === null || other.push === null ? null : one.push,
  }
}
