import type { Finding } from './identity/certificate-findings.ts'

/** What a node's {@link Standing} is read from. */
export interface StandingSources {
  /** Null while the node has not joined a fleet. */
  readonly upkeep: { findings(): readonly Finding[] } | null
  /** Where blocks go in plain over a network. */
  readonly plainUplinks: readonly string[]
}

/** Findings that are also an alert: nobody may notice a condition in the days that are left. */
const ENDING: readonly string[] = ['certificate_ending', 'clock_unsure']

/** How a node stands in its fleet: its certificate, its clock, the way to the controllers, and what it says in plain. */
export class Standing {
  readonly #sources: StandingSources

  constructor(sources: StandingSources) {
    this.#sources = sources
  }

  findings(): readonly Finding[] {
    const { upkeep, plainUplinks } = this.#sources
    const found = [...(upkeep?.findings() ?? [])]
    if (plainUplinks.length > 0) {
      const msg = `insecure: everything is sent in plain to ${plainUplinks.join(', ')}, since upstream.insecure allows it`
      found.push({ code: 'insecure_uplink', severity: 'warning', msg })
    }
    return found
  }

  /** Why the node will not be let in, or has been kept out; null when it is not so. */
  ending(): string | null {
    return this.findings().find(({ code }) => ENDING.includes(code))?.msg ?? null
  }
}
