/** The figures of a node that are kept for every second; null in a {@link Vitals} is NaN in the ring. */
export const VITAL_FIELDS = [
  'cpuPct',
  'load1',
  'memUsedBytes',
  'memTotalBytes',
  'diskUsedBytes',
  'diskTotalBytes',
  'tempC',
  'netRxBytesPerSec',
  'netTxBytesPerSec',
  'inferencesPerSec',
  'abnormalPerSec',
  'failedPerSec',
  'p50Ms',
  'p99Ms',
  'rawBytesPerSec',
  'upBytesPerSec',
  'savedPct',
  /** Bytes of the savings window, to sum savings over nodes. */
  'windowRawBytes',
  'windowUpBytes',
  'backlogRecords',
  'backlogBytes',
  'queued',
  'rttMs',
] as const

/** @see VITAL_FIELDS */
export type VitalField = (typeof VITAL_FIELDS)[number]
/** Figures of a node at one time; units in the names, null = not known. */
export type Vitals = { readonly [F in VitalField]: number | null }

/** Nothing known. */
export const NO_VITALS = Object.fromEntries(VITAL_FIELDS.map((field) => [field, null])) as unknown as Vitals

const WIDTH = VITAL_FIELDS.length

/** A ring of vitals by the second on our clock; the last frame of a second wins. */
export class VitalsHistory {
  readonly #length: number
  /** Receipt time of each slot, ms; -1 = empty. */
  readonly #atMs: Float64Array
  readonly #values: Float64Array

  constructor(historySec: number) {
    this.#length = historySec
    this.#atMs = new Float64Array(historySec).fill(-1)
    this.#values = new Float64Array(historySec * WIDTH)
  }

  /** Keep what was known at `atMs`. */
  add(atMs: number, vitals: Vitals): void {
    const slot = Math.floor(atMs / 1000) % this.#length
    this.#atMs[slot] = atMs
    VITAL_FIELDS.forEach((field, index) => {
      this.#values[slot * WIDTH + index] = vitals[field] ?? Number.NaN
    })
  }

  /** The newest vitals that came at or before `atMs`; null when the ring holds none. */
  asOf(atMs: number): { readonly atMs: number; readonly vitals: Vitals } | null {
    const second = Math.floor(atMs / 1000)
    for (let back = 0; back < this.#length; back += 1) {
      const slot = (((second - back) % this.#length) + this.#length) % this.#length
      const held = this.#atMs[slot] ?? -1
      if (held < 0 || held > atMs || Math.floor(held / 1000) !== second - back) continue
      return { atMs: held, vitals: this.#read(slot) }
    }
    return null
  }

  /** Stretches between two times in which no second was more than `holeMs` after the one before; oldest first. */
  stretches(fromMs: number, toMs: number, holeMs: number): { readonly fromMs: number; readonly toMs: number }[] {
    const times = [...this.#atMs].filter((atMs) => atMs >= fromMs && atMs <= toMs).sort((a, b) => a - b)
    const found: { fromMs: number; toMs: number }[] = []
    for (const atMs of times) {
      const last = found.at(-1)
      if (last === undefined || atMs - last.toMs > holeMs) found.push({ fromMs: atMs, toMs: atMs })
      else last.toMs = atMs
    }
    return found
  }

  #read(slot: number): Vitals {
    const vitals: { [F in VitalField]: number | null } = { ...NO_VITALS }
    VITAL_FIELDS.forEach((field, index) => {
      const value = this.#values[slot * WIDTH + index] ?? Number.NaN
      vitals[field] = Number.isNaN(value) ? null : value
    })
    return vitals
  }
}
