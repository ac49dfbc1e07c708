import type { JournalFile } from '../audit/journal-file.ts'
import type { CloudAddress } from '../config/cloud-address.ts'

/** What a {@link JournalShipping} is made of. */
export interface JournalShippingOptions {
  /** Regions whose stream of audit records is to have it. */
  readonly clouds: readonly CloudAddress[]
  /** The journal of whoever the operator is now. */
  readonly file: () => JournalFile
  /** For connecting and for each answer, ms. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 3000
/** What is written within this time goes together, ms. */
const GATHER_MS = 500
const RETRY_MS = 30_000

/**
 * Brings what a console wrote down to the regions, soon after and again when that failed, for as long as the console runs;
 * what is left goes with the next one. The client of the bus is loaded only when there is something to bring.
 */
export class JournalShipping {
  readonly #options: JournalShippingOptions
  #isDue = false
  #timer: NodeJS.Timeout | null = null
  #running: Promise<string | null> | null = null

  constructor(options: JournalShippingOptions) {
    this.#options = options
  }

  /** Something was written. */
  wrote(): void {
    this.#isDue = true
    this.#arm(GATHER_MS)
  }

  /** Try once more, if anything is left. Resolves with why not all of it is there, for people; null when it is. */
  async finish(): Promise<string | null> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#running
    const failure = this.#isDue ? await this.#ship() : null
    if (this.#timer !== null) clearTimeout(this.#timer)
    return failure
  }

  #arm(delayMs: number): void {
    if (this.#options.clouds.length === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      void this.#ship()
    }, delayMs).unref()
  }

  #ship(): Promise<string | null> {
    this.#running ??= this.#shipAll().finally(() => {
      this.#running = null
      if (this.#isDue) this.#arm(RETRY_MS)
    })
    return this.#running
  }

  async #shipAll(): Promise<string | null> {
    const { clouds, file, timeoutMs = TIMEOUT_MS } = this.#options
    this.#isDue = false
    if (clouds.length === 0) return null
    const { shipTo } = await import('../cloud/audit-shipper.ts')
    const journal = file()
    const failures = await Promise.all(clouds.map((cloud) => shipTo(cloud, journal, timeoutMs)))
    const failed = failures.find((failure) => failure !== null)
    if (failed == null) return null
    this.#isDue = true
    return failed.toLine()
  }
}
