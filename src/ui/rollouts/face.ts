import type { Item, Source } from '../../../protocol/change.ts'
import type { UntrustedText } from '../../../protocol/untrusted-text.ts'
import type { Plan, Strategy } from '../../rollout/contract.ts'

/** A package that can be rolled out. */
export interface PackageOffer {
  readonly item: Item
  /** Names or fingerprints of the keys that signed it. Safe to show. */
  readonly signedBy: readonly UntrustedText[]
  /** Where it lies, for people. Safe to show. */
  readonly where: UntrustedText
  /** Where nodes fetch it. */
  readonly sources: readonly Source[]
}

/** Packages that are there, and which places could not be read. */
export interface PackageOffers {
  readonly offers: readonly PackageOffer[]
  readonly faults: readonly UntrustedText[]
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
  /** One of the packages is chosen; `typed` is what is searched for. */
  | {
      readonly phase: 'choosing'
      readonly title: string
      readonly offers: readonly PackageOffer[]
      readonly faults: readonly string[]
      readonly typed: string
      readonly row: number
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

/** Whether a plan would change anything, now or later. */
export function isBeginnable(plan: Plan | null): plan is Plan {
  return plan !== null && plan.waves.length + plan.deferred.length > 0
}
