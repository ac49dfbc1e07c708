import type { Finding } from './identity/certificate-findings.ts'

/** What a node's {@link Standing} is read from. */
export interface StandingSources {
  /** Null while the node has not joined a fleet. */
  readonly upkeep: { findings(): readonly Finding[] } | null
}

/** Findings that are also an alert: nobody may notice a condition in the days that are left. */
const ENDING: readonly string[] = ['certificate_ending', 'clock_unsure']

/** How a node stands in its fleet: its certificate, its clock, the way to the controllers. */
export class Standing {
  readonly #sources: StandingSources

  constructor(sources: StandingSources) {
    this.#sources = sources
  }

  findings(): readonly Finding[] {
    return this.#sources.upkeep?.findings() ?? []
  }

  /** Why the node will not be let in, or has been kept out; null when it is not so. */
  ending(): string | null {
    return this.findings().find(({ code }) => ENDING.includes(code))?.msg ?? null
  }
}
