import type { Item, Source } from '../../../protocol/change.ts'
import type { UntrustedText } from '../../../protocol/untrusted-text.ts'
import type { Plan, Strategy } from '../../rollout/contract.ts'

/** A package that can be rolled out. */
export interface PackageOffer {
  readonly item: Item
  /** Of all its files; null where nobody says. */
  readonly sizeBytes: number | null
  /** When it came to be there, Unix ms; null where nobody says. */
  readonly sinceMs: number | null
  /** Names or fingerprints of the keys that signed it, as it says. Safe to show. */
  readonly signedBy: readonly UntrustedText[]
  /** Where it lies, for people. Safe to show. */
  readonly where: UntrustedText
  /** What is to be done before nodes can fetch it; null where it lies where they do. Safe to show. */
  readonly push: UntrustedText | null
  /** Where nodes fetch it. */
  readonly sources: readonly Source[]
}

/** Packages that are there, and what could not be read of a place. */
export interface PackageOffers {
  readonly offers: readonly PackageOffer[]
  readonly faults: readonly UntrustedText[]
}

/** Somewhere packages lie. */
export interface PackagePlace {
  /** For people, as the object of "reading". Safe to show. */
  readonly name: UntrustedText
  /** What lies there. Rejects where it cannot be read. */
  readonly read: (signal: AbortSignal) => Promise<PackageOffers>
}

/** What is asked or told on the way to a rollout or about one; every text is safe to show. */
export type RolloutFace =
  /** Packages are looked up, or something is written down. */
  | {
      readonly phase: 'busy'
      readonly title: string
      readonly text: string
      /** What esc does. */
      readonly esc: string
    }
  /** One of the packages is chosen. */
  | {
      readonly phase: 'choosing'
      readonly title: string
      readonly offers: readonly PackageOffer[]
      /** Places that have not said yet what they have. */
      readonly reading: readonly string[]
      readonly faults: readonly string[]
      /** What is wrong with what was typed; null when nothing is. */
      readonly fault: string | null
      /** What is searched for, or names a package. */
      readonly typed: string
      /** Digest under the cursor, which stays on it while other packages come; null for the first that fits. */
      readonly cursor: string | null
    }
  /** The plan is looked at and changed before anything happens. */
  | {
      readonly phase: 'planning'
      readonly title: string
      readonly strategy: Strategy
      /** File that the strategy is from; null for the defaults. */
      readonly file: string | null
      readonly plan: Plan | null
      /** Why there is no plan; null when there is. */
      readonly fault: string | null
      /** The knob that the cursor is on. */
      readonly row: number
      /** Lines that the plan is scrolled down. */
      readonly scroll: number
      /** What esc does. */
      readonly esc: string
    }
  /** A line is typed: a file, a confirmation, a reason. */
  | {
      readonly phase: 'typing'
      readonly title: string
      readonly lines: readonly string[]
      readonly typed: string
      readonly fault: string | null
      /** What enter does. */
      readonly enter: string
      /** What esc does. */
      readonly esc: string
    }
  /** It came to nothing. */
  | { readonly phase: 'failed'; readonly title: string; readonly lines: readonly string[] }

/** Packages that a searched text fits, in their order. */
export function offersFor(offers: readonly PackageOffer[], typed: string): readonly PackageOffer[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  return offers.filter(({ item, where, signedBy }) => {
    const all = `${item.kind} ${item.name} ${item.version} ${item.digest} ${where} ${signedBy.join(' ')}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** Where the cursor is among packages that fit. */
export function rowOf(shown: readonly PackageOffer[], cursor: string | null): number {
  return Math.max(
    0,
    shown.findIndex(({ item }) => item.digest === cursor),
  )
}

/** Whether a plan would change anything, now or later. */
export function isBeginnable(plan: Plan | null): plan is Plan {
  return plan !== null && plan.waves.length + plan.deferred.length > 0
}
