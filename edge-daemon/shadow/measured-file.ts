import { createHash } from 'node:crypto'
import { cpus, totalmem } from 'node:os'
import { z } from 'zod'
import { readSmallFile, replaceFile } from '../../durable/durable-file.ts'
import { messageOf } from '../../protocol/errors.ts'
import type { ManifestVariant } from '../../protocol/model-manifest.ts'
import { type Machine, machine } from './node-class.ts'
import type { Measured } from './variant-choice.ts'

/** Models whose measurements are kept, the last ones. */
const MOST_MODELS = 32
const MAX_FILE_BYTES = 256 * 1024

const runMs = z.number().nonnegative()
const fileSchema = z.strictObject({
  v: z.literal(1),
  /** Measured on another machine, or by another release, it says nothing. */
  machine: z.string().max(128),
  is: z.strictObject({ cores: z.int().positive(), memoryBytes: z.number().positive(), referenceMs: runMs }),
  models: z
    .array(z.strictObject({ key: z.string().max(64), runMs: z.record(z.string().max(64), runMs) }))
    .max(MOST_MODELS),
})
type Measurements = z.infer<typeof fileSchema>

/**
 * What was measured on this machine, kept so that no start measures again: the machine itself, and models by their
 * files. It can be lost at any time, and is then measured anew.
 */
export class MeasuredFile {
  readonly #path: string
  readonly #onFault: (msg: string) => void
  #held: Measurements

  /**
   * Read the file; where there is none of this machine, measure the machine: takes tens of milliseconds of this thread.
   * @param release version of the program, since another one may run models at another speed
   */
  constructor(path: string, { release, onFault }: { release: string; onFault: (msg: string) => void }) {
    this.#path = path
    this.#onFault = onFault
    const fingerprint = fingerprintOf(release)
    const held = this.#read()
    if (held?.machine === fingerprint) {
      this.#held = held
    } else {
      this.#held = { v: 1, machine: fingerprint, is: machine(), models: [] }
      this.#write()
    }
  }

  get machine(): Machine {
    return this.#held.is
  }

  /** What the variants were measured at; null when they were not, or not all of them. */
  find(variants: readonly ManifestVariant[]): Readonly<Record<string, Measured>> | null {
    const found = this.#held.models.find(({ key }) => key === keyOf(variants))
    if (found === undefined) return null
    return Object.fromEntries(Object.entries(found.runMs).map(([name, ms]) => [name, { runMs: ms }]))
  }

  /** Keep what was measured; not where a variant could not be run, since the reason may go. */
  keep(variants: readonly ManifestVariant[], measured: Readonly<Record<string, Measured>>): void {
    const times: Record<string, number> = {}
    for (const { name } of variants) {
      const found = measured[name]
      if (found === undefined || 'fault' in found) return
      times[name] = found.runMs
    }
    const key = keyOf(variants)
    const others = this.#held.models.filter((held) => held.key !== key)
    this.#held = { ...this.#held, models: [...others, { key, runMs: times }].slice(-MOST_MODELS) }
    this.#write()
  }

  #read(): Measurements | null {
    try {
      const held = readSmallFile(this.#path, MAX_FILE_BYTES)
      return held === null ? null : fileSchema.parse(JSON.parse(held.text))
    } catch (error) {
      this.#onFault(`${this.#path} cannot be read, so it is measured anew: ${messageOf(error)}`)
      return null
    }
  }

  #write(): void {
    try {
      replaceFile(this.#path, `${JSON.stringify(this.#held)}\n`, { isSole: true })
    } catch (error) {
      this.#onFault(`${this.#path} cannot be written, so the next start measures anew: ${messageOf(error)}`)
    }
  }
}

function keyOf(variants: readonly ManifestVariant[]): string {
  const files = variants.map(({ name, sha256 }) => `${name} ${sha256}`).sort()
  return createHash('sha256').update(files.join('\n')).digest('hex')
}

function fingerprintOf(release: string): string {
  const [cpu] = cpus()
  const said = [cpu?.model ?? '', process.arch, cpus().length, Math.round(totalmem() / 1e9), process.version, release]
  return createHash('sha256').update(said.join('\n')).digest('hex')
}
