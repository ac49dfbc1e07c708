/**
 * How something that was looked at stands: `note` is worth knowing, `warning` will be a fault or is one that others live
 * with, `fault` keeps something from working, and of `untested` nothing is known.
 */
export const FINDING_STATES = ['ok', 'note', 'warning', 'fault', 'untested'] as const
/** @see FINDING_STATES */
export type FindingState = (typeof FINDING_STATES)[number]

/** What was looked at; the order in which it is told. */
export const AREAS = ['configuration', 'identity', 'controller', 'bus', 'region', 'node'] as const
/** @see AREAS */
export type Area = (typeof AREAS)[number]

/** One thing that was looked at and how it stands. */
export interface Finding {
  readonly area: Area
  /** Which one of its kind, e.g. an address or the name of a node; empty where there is one alone. */
  readonly subject: string
  /** Stable name of what was looked at, e.g. `dns`, `tls`, `stream.EDGE`. */
  readonly check: string
  readonly state: FindingState
  /** A sentence without a full stop. */
  readonly found: string
  /** What to do, an imperative; null where nothing is to be done. */
  readonly cure: string | null
}

/** Makes the findings about one thing. */
export class FindingsOf {
  readonly all: Finding[] = []
  readonly #area: Area
  readonly #subject: string

  constructor(area: Area, subject = '') {
    this.#area = area
    this.#subject = subject
  }

  ok(check: string, found: string): void {
    this.#add('ok', check, found, null)
  }

  note(check: string, found: string, cure: string | null = null): void {
    this.#add('note', check, found, cure)
  }

  warning(check: string, found: string, cure: string): void {
    this.#add('warning', check, found, cure)
  }

  fault(check: string, found: string, cure: string): void {
    this.#add('fault', check, found, cure)
  }

  untested(check: string, found: string, cure: string | null = null): void {
    this.#add('untested', check, found, cure)
  }

  #add(state: FindingState, check: string, found: string, cure: string | null): void {
    this.all.push({ area: this.#area, subject: this.#subject, check, state, found, cure })
  }
}

/** What all findings together say: a fault counts more than what could not be tested. */
export function verdictOf(findings: readonly Finding[]): 'fine' | 'faulty' | 'untested' {
  if (findings.some(({ state }) => state === 'fault')) return 'faulty'
  return findings.some(({ state }) => state === 'untested') ? 'untested' : 'fine'
}
