import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StatusChanges } from '../protocol/change.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { Priority } from './inference/background.ts'
import { labelOf } from './inference/outcome.ts'
import type { Logger } from './logs/logger.ts'
import { type ModelFolder, modelOf, type ServedModel } from './models/models.ts'
import { KeptSource } from './shadow/kept-source.ts'
import { measureVariants } from './shadow/measure-variants.ts'
import { MeasuredFile } from './shadow/measured-file.ts'
import { nodeClassOf } from './shadow/node-class.ts'
import { chooseVariant, type Measured, toMeasure, type VariantQuestion } from './shadow/variant-choice.ts'
import type { Store } from './store/store.ts'

/** Pictures that variants are measured with. */
const PICTURES = 16

/** What {@link ModelVariants} are made of. */
export interface ModelVariantsOptions {
  readonly config: DaemonConfig
  readonly store: Pick<Store, 'read'>
  /** Version of this program. */
  readonly release: string
  readonly log: Logger
}

/** How a variant is chosen: with what was measured before, or measured now at a priority. */
export interface Choosing {
  readonly measure: Priority | null
  readonly signal?: AbortSignal | undefined
}

/** Chooses the variant of a model that serves on this node, by what was measured here (requirement I3). */
export class ModelVariants {
  readonly #options: ModelVariantsOptions
  readonly #file: MeasuredFile
  /** What was found out since the start and is not kept, by the variants' files. */
  readonly #tried = new Map<string, Readonly<Record<string, Measured>>>()
  /** Chosen since the start: memory that comes and goes moves no model. */
  readonly #chosen = new Map<string, { readonly variant: string; readonly figures: StatusChanges['variants'] }>()
  readonly #figures = new WeakMap<ServedModel, StatusChanges['variants']>()

  constructor(options: ModelVariantsOptions) {
    const { config, release, log } = options
    this.#options = options
    this.#file = new MeasuredFile(join(config.state.dir, 'measured.json'), {
      release,
      onFault: (msg) => log.warn('model.measurements', msg),
    })
  }

  /**
   * The model of a folder in the variant that serves here.
   * @throws EdgeError of `modelOf`; what `signal` was aborted for
   */
  async choose(folder: ModelFolder, { measure, signal }: Choosing): Promise<ServedModel> {
    const { variants } = folder.manifest
    const key = variants.map(({ sha256 }) => sha256).join(' ')
    if (measure !== null || !this.#chosen.has(key)) {
      const question = this.#question(folder)
      const measured = await this.#measured(folder, question, { measure, signal })
      this.#chosen.set(key, chooseVariant({ ...question, measured }))
    }
    const { variant, figures } = this.#chosen.get(key) as { variant: string; figures: StatusChanges['variants'] }
    const model = await modelOf(folder, variant)
    this.#figures.set(model, figures)
    return model
  }

  /** What a status tells of the machine and of the model that serves. */
  status(serving: ServedModel | null): Pick<StatusChanges, 'nodeClass' | 'variants'> {
    return {
      nodeClass: nodeClassOf(this.#file.machine),
      variants: (serving === null ? undefined : this.#figures.get(serving)) ?? {},
    }
  }

  #question({ manifest: { variants, maxAccuracyLoss } }: ModelFolder): VariantQuestion {
    const { models } = this.#options.config
    return {
      variants,
      wanted: models.variant,
      maxAccuracyLoss: models.maxAccuracyLoss ?? maxAccuracyLoss,
      freeBytes: process.availableMemory(),
      measured: {},
    }
  }

  async #measured(
    folder: ModelFolder,
    question: VariantQuestion,
    { measure, signal }: Choosing,
  ): Promise<Readonly<Record<string, Measured>>> {
    const variants = toMeasure(question)
    if (variants.length === 0) return {}
    const key = variants.map(({ sha256 }) => sha256).join(' ')
    const known = this.#file.find(variants)
    if (known !== null || measure === null) return known ?? this.#tried.get(key) ?? {}
    const { config, log } = this.#options
    const models = await Promise.all(variants.map(({ name }) => modelOf(folder, name)))
    const [first] = models
    const measured = await measureVariants({
      models,
      pictures: await this.#pictures(first?.selfTest ?? []),
      pixelLimit: config.inference.pictureMegapixels * 1e6,
      priority: measure,
      signal,
    })
    this.#file.keep(variants, measured)
    this.#tried.set(key, measured)
    log.info('model.measured', `variants of ${labelOf(folder.manifest)}: ${wordsOf(measured)}`)
    return measured
  }

  /** The model's own self-test, else what the node keeps. */
  async #pictures(selfTest: ServedModel['selfTest']): Promise<Uint8Array[]> {
    if (selfTest.length > 0) return await Promise.all(selfTest.slice(0, PICTURES).map(({ path }) => readFile(path)))
    const kept = new KeptSource(this.#options.store)
    const pictures: Uint8Array[] = []
    while (pictures.length < PICTURES) {
      const sample = await kept.next()
      if (sample === null) break
      pictures.push(sample.picture)
    }
    return pictures
  }
}

function wordsOf(measured: Readonly<Record<string, Measured>>): string {
  const words = Object.entries(measured).map(([name, found]) =>
    'fault' in found ? `${name} cannot be run (${found.fault})` : `${name} ${found.runMs} ms`,
  )
  return words.length === 0 ? 'nothing could be measured' : words.join(', ')
}
