import { freemem } from 'node:os'
import type { OpenedPackage } from '../../packages/model-package.ts'
import { type Item, isSameItem, type Source } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { InferenceService } from '../inference/inference-service.ts'
import type { ServedModel } from '../models/models.ts'
import type { PackageReader } from '../models/package-reader.ts'
import type { PackageShelf } from '../models/shelf.ts'
import type { ChangeKind, Progress } from './contract.ts'
import { readPatiently } from './patient-read.ts'
import { packageOf } from './slot-state.ts'

/** What brings a package to this node, see `delivery/contract.ts`. */
export type Bring = (
  wish: { readonly item: Item; readonly sources: readonly Source[] },
  run: { readonly signal: AbortSignal; readonly progress: (progress: Progress) => void },
) => Promise<{ readonly folder: string }>

/** The model that a node was set up with, as an item and as what serves. */
export interface OwnModel {
  readonly item: Item
  readonly model: ServedModel
}

/** What a {@link ModelKind} is made of. */
export interface ModelKindOptions {
  readonly shelf: PackageShelf
  readonly reader: Pick<PackageReader, 'open'>
  readonly bring: Bring
  /** `models.serve` of the configuration: who names a model there is served no other. */
  readonly serve: string | null
  /**
   * The model that the node was set up with, verified; what serves while nothing is confirmed. `isAnew`: as its folder is now.
   */
  readonly base: (how?: { readonly isAnew: boolean }) => Promise<OwnModel>
  /** Which of a package's variants serves here; they are measured when it is staged, as long as nothing waits for it. */
  readonly choose: (
    opened: OpenedPackage,
    how: { readonly isStaged: boolean; readonly signal?: AbortSignal | undefined },
  ) => Promise<ServedModel>
  readonly compare: ChangeKind['compare']
  readonly watch: ChangeKind['watch']
  /** Bytes that programs of this machine may still take. */
  readonly freeBytes?: () => number
}

/** So much must be free for the model before to stay warm while the new one is on probation, and to stay so. */
const KEEP_WARM_BYTES = 512 * 1024 * 1024
const STAY_WARM_BYTES = 192 * 1024 * 1024
const LOOK_EVERY_MS = 2000

/** Models as items: packages on the shelf, served through the inference service. */
export class ModelKind implements ChangeKind {
  readonly compare: ChangeKind['compare']
  readonly watch: ChangeKind['watch']
  readonly #options: ModelKindOptions
  readonly #digests = new WeakMap<ServedModel, string>()
  #own: Item | null = null
  #service: InferenceService | null = null
  #memoryWatch: NodeJS.Timeout | null = null

  constructor(options: ModelKindOptions) {
    this.#options = options
    this.compare = options.compare
    this.watch = options.watch
  }

  /** What serves; before that nothing can be made to. */
  serveWith(service: InferenceService): void {
    this.#service = service
  }

  /** What serves now; null before anything does. */
  serving(): ServedModel | null {
    return this.#service?.status().model ?? null
  }

  /** The package that a model is of; null for what the node was set up with. */
  digestOf(model: ServedModel): string | null {
    return this.#digests.get(model) ?? null
  }

  own(): Item | null {
    return this.#own
  }

  async stage(item: Item, { sources, signal, onProgress }: Parameters<ChangeKind['stage']>[1]): Promise<void> {
    const { bring, serve } = this.#options
    const { name, version } = item
    if (item.origin !== undefined) {
      await this.#ownModel(item, true)
      return
    }
    if (serve !== null && serve !== name && serve !== `${name}@${version}`) {
      throw new EdgeError('CHANGE_UNFIT', {
        message: `this node is set to serve ${serve}, and ${name}@${version} is brought`,
        next: ['take models.serve out of its configuration, or roll out that model'],
      })
    }
    await bring({ item, sources }, { signal, progress: onProgress })
    await this.#open(item, { isStaged: true, signal })
  }

  /**
   * The model of an item, verified anew: what lies on a disk may have changed since it came there.
   * @throws EdgeError `PACKAGE_MISSING`, `PACKAGE_INVALID`, `PACKAGE_UNTRUSTED`, `MODEL_INVALID`, `CHANGE_UNFIT`
   */
  async model(item: Item | null, signal?: AbortSignal): Promise<ServedModel> {
    if (item === null || item.origin !== undefined) return await this.#ownModel(item, false)
    return await this.#open(item, { isStaged: false, signal })
  }

  /** What the node was set up with; not when another is named. */
  async #ownModel(named: Item | null, isAnew: boolean): Promise<ServedModel> {
    const { item, model } = await this.#options.base({ isAnew })
    if (!isAnew) this.#own = item
    if (named === null || isSameItem(named, item)) return model
    throw new EdgeError('CHANGE_UNFIT', {
      message: `the folder of this node holds ${titleOf(item)} by now, and it is to go back to ${titleOf(named)}`,
      next: ['put that model back into models.dir, or roll out the version that you want as a package'],
    })
  }

  async #open(
    item: Item,
    { isStaged, signal }: { readonly isStaged: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<ServedModel> {
    const { shelf, reader, choose } = this.#options
    const held = await readPatiently(() => shelf.find(item.digest), { signal })
    if (held === null) {
      throw new EdgeError('PACKAGE_MISSING', {
        message: `the package of ${item.name}@${item.version} is not on this node`,
        next: ['roll it out again'],
      })
    }
    const { trust } = shelf
    const given = signal === undefined ? {} : { signal }
    const opened = await readPatiently(() => reader.open(held.folder, { trust, digest: item.digest, ...given }), given)
    if (opened.item.kind !== item.kind || opened.item.name !== item.name || opened.item.version !== item.version) {
      throw new EdgeError('PACKAGE_INVALID', {
        message: `the package ${item.digest} is ${opened.item.name}@${opened.item.version}, not ${item.name}@${item.version}`,
        next: ['begin a rollout of what the package is'],
      })
    }
    const model = await choose(opened, { isStaged, signal })
    this.#digests.set(model, item.digest)
    return model
  }

  async serve(item: Item | null, { keepBefore, signal }: Parameters<ChangeKind['serve']>[1]): Promise<void> {
    const service = this.#service
    if (service === null) throw new EdgeError('NOT_READY', { message: 'the inference service is not running' })
    const model = await this.model(item, signal)
    const serving = service.status().model
    const isThere = serving !== null && this.digestOf(serving) === packageOf(item) && serving.path === model.path
    // What serves already is not loaded again, unless the process of it is gone.
    if (!(isThere && service.isReady())) {
      const isRoom = this.#freeBytes() >= KEEP_WARM_BYTES
      await service.swap(model, { keepBefore: keepBefore && isRoom, signal })
      if (keepBefore && isRoom) this.#watchMemory(service)
    }
    if (!keepBefore) this.settle()
  }

  settle(): void {
    if (this.#memoryWatch !== null) clearInterval(this.#memoryWatch)
    this.#memoryWatch = null
    this.#service?.dropSpare()
  }

  #watchMemory(service: InferenceService): void {
    this.#memoryWatch ??= setInterval(() => {
      if (this.#freeBytes() < STAY_WARM_BYTES) service.dropSpare()
    }, LOOK_EVERY_MS)
    this.#memoryWatch.unref()
  }

  #freeBytes(): number {
    return this.#options.freeBytes?.() ?? freemem()
  }
}

function titleOf({ name, version, digest }: Item): string {
  return `${name}@${version} (${digest.slice(0, 12)})`
}
