import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Item, StatusChanges } from '../protocol/change.ts'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import type { Condition } from '../protocol/status.ts'
import { ChangeKeeper } from './changes/change-keeper.ts'
import { systemClock } from './changes/clock.ts'
import { ConfigKind } from './changes/config-kind.ts'
import { ModelComparisons } from './changes/model-comparisons.ts'
import { type Bring, ModelKind, type OwnModel } from './changes/model-kind.ts'
import { PutAside } from './changes/put-aside.ts'
import { SlotFile } from './changes/slot-file.ts'
import type { Served } from './changes/slot-state.ts'
import { isSpoilt } from './changes/way-back.ts'
import { LiveSettings } from './config/live-settings.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { InferenceService, ServiceEvent } from './inference/inference-service.ts'
import type { InferenceMeters } from './inference/meters.ts'
import { labelOf } from './inference/outcome.ts'
import type { Logger } from './logs/logger.ts'
import { ModelVariants } from './model-variants.ts'
import { loadModels } from './models/models.ts'
import { PackageReader } from './models/package-reader.ts'
import { configuredFolder, configuredModel, ownItemOf } from './models/served.ts'
import { PackageShelf } from './models/shelf.ts'
import { readPackageTrust } from './models/trust.ts'
import { makeDelivery, type NodeDelivery } from './node-delivery.ts'
import { AnswerTap } from './shadow/answer-tap.ts'
import type { Store } from './store/store.ts'
import type { UplinkIdentity } from './upstream/bus-files.ts'

/** How often what lies on the disk is listed for the status, ms. */
const LIST_EVERY_MS = 30_000
const MAX_LISTED = 64
/** How long a package that no change needs stays: it may have been brought for the next one. */
const UNUSED_FOR_MS = 3_600_000
/** When what was confirmed is tried again that could not be loaded at the start, ms; longer each time. */
const [AGAIN_FIRST_MS, AGAIN_MAX_MS] = [10_000, 600_000]

/** What changes are carried out with. */
export interface ChangePathParts {
  readonly config: DaemonConfig
  readonly meters: InferenceMeters
  readonly store: Pick<Store, 'read'>
  /** Version of this program. */
  readonly release: string
  readonly log: Logger
  /** What the node shows to where packages come from; null while it has not joined. */
  readonly identity: () => UplinkIdentity | null
}

/**
 * See that the model which the configuration names can be had, before anything else of a node is started; where a rollout
 * may have brought another it need not be. @throws EdgeError of `configuredModel`
 */
export async function requireModel({ models, state }: DaemonConfig): Promise<void> {
  try {
    await configuredModel(models)
  } catch (error) {
    if (!existsSync(slotPath(state.dir))) throw error
  }
}

/** What a node does with the models that rollouts bring, from the shelf to what serves. */
export class ChangePath {
  readonly keeper: ChangeKeeper
  readonly shelf: PackageShelf
  readonly #reader: PackageReader
  /** Where answers that are on their way are to be told, for what runs beside what serves. */
  readonly tap = new AnswerTap()
  /** How packages come here. */
  readonly delivery: NodeDelivery
  /** Settings that rollouts may change, as they are now. */
  readonly settings: LiveSettings
  readonly #configs: ConfigKind
  readonly #models: ModelKind
  readonly #variants: ModelVariants
  readonly #parts: ChangePathParts
  /** What the node was set up with, in the variant that serves here. */
  #base: OwnModel | null = null
  readonly #ending = new AbortController()
  /** What was confirmed and is not used. */
  readonly #putAside = new PutAside()
  #onDisk: readonly string[] = []
  #lister: NodeJS.Timeout | null = null

  private constructor(parts: ChangePathParts, shelf: PackageShelf, reader: PackageReader) {
    this.#parts = parts
    this.shelf = shelf
    this.#reader = reader
    const { config, meters, store, log, identity } = parts
    this.delivery = makeDelivery(config, { shelf, identity, log })
    this.#variants = new ModelVariants(parts)
    const { shadowPriority } = config.models
    this.settings = new LiveSettings(config)
    const bring: Bring = (wish, run) => this.delivery.deliver(wish, run)
    this.#configs = new ConfigKind({ shelf, bring, settings: this.settings, log })
    const comparisons = new ModelComparisons({
      tap: this.tap,
      store,
      shelf,
      reader,
      serving: () => this.#models.serving(),
      modelOf: (item, signal) => this.#models.model(item, signal),
      pixelLimit: config.inference.pictureMegapixels * 1e6,
      priority: shadowPriority,
    })
    this.#models = new ModelKind({
      shelf,
      reader,
      bring,
      serve: config.models.serve,
      base: (how) => this.#baseModel(how),
      choose: (opened, { isStaged, signal }) =>
        this.#variants.choose(opened, { measure: isStaged ? shadowPriority : null, signal }),
      compare: (item, wish) => comparisons.compare(item, wish),
      watch: (before, samplePct) => comparisons.watch(before, samplePct),
    })
    this.keeper = new ChangeKeeper({
      file: new SlotFile(slotPath(config.state.dir)),
      kinds: { model: this.#models, config: this.#configs },
      prune: (pinned, mayRemove) => this.#prune(pinned, mayRemove),
      counters: () => servedOf(meters),
      clock: systemClock(),
      log,
      // With these a package came; what goes and what lies in the models folder is found at the next listing.
      onPhase: (phase) => {
        if (phase === 'staged' || phase === 'failed') void this.#list()
      },
      onPutAside: (item, msg) => this.#asideOf(item, msg),
    })
  }

  /**
   * Read how far changes are, once this daemon owns the state folder.
   * @throws EdgeError `STORE_UNUSABLE`, `CONFIG_UNSERVABLE`
   */
  static async open(parts: ChangePathParts): Promise<ChangePath> {
    const { models, state } = parts.config
    const reader = new PackageReader()
    const trust = await readPackageTrust(models.trust)
    const shelf = await PackageShelf.open(state.dir, trust, (wish) => reader.verify(wish))
    const path = new ChangePath(parts, shelf, reader)
    await path.delivery.start()
    await path.keeper.open()
    await path.#configure()
    return path
  }

  /**
   * Have the model serve that should: what is on probation, else what was confirmed, else what the node was set up with.
   * @throws EdgeError when none of them can be served
   */
  async serve(service: InferenceService): Promise<void> {
    this.#models.serveWith(service)
    for (let isSetUp = false; ; ) {
      const item = isSetUp ? null : this.keeper.wanted('model')
      try {
        await service.start(await this.#models.model(item))
        break
      } catch (error) {
        if (item === null) throw error
        const msg = error instanceof EdgeError ? error.toLine() : messageOf(error)
        await this.keeper.unusable(item, msg)
        if (this.keeper.wanted('model')?.digest !== item.digest) continue
        this.#asideOf(item, msg)
        if (!isSpoilt(error)) this.#tryAgain(item)
        isSetUp = true
      }
    }
    await this.#list()
    this.keeper.start()
    this.#lister = setInterval(() => void this.#list(), LIST_EVERY_MS)
    this.#lister.unref()
  }

  /** What was confirmed cannot be used: told until something else is. */
  #asideOf(item: Item, msg: string): void {
    const told = `${labelOf(item)}, which was confirmed, cannot be ${item.kind === 'config' ? 'used' : 'served'}: ${msg}`
    this.#putAside.add(item, told)
    this.#parts.log.error(`${item.kind}.put_aside`, told)
  }

  /** What a busy start had no time or memory for serves later, unless something else is wanted by then. */
  #tryAgain(item: Item, waitMs = AGAIN_FIRST_MS): void {
    const { signal } = this.#ending
    const again = async (): Promise<void> => {
      if (signal.aborted || this.#asideNow('model') === null) return
      if (this.keeper.wanted('model')?.digest !== item.digest) return
      try {
        await this.#models.serve(item, { keepBefore: false, signal })
        this.#parts.log.info('model.again', `${labelOf(item)}, which was confirmed, serves again`)
      } catch (error) {
        this.#parts.log.warn('model.not_again', messageOf(error))
        if (!isSpoilt(error)) this.#tryAgain(item, Math.min(AGAIN_MAX_MS, waitMs * 2))
      }
    }
    setTimeout(() => this.keeper.behind(again), waitMs).unref()
  }

  /** Why what was confirmed of a kind is not used; null when it is. */
  #asideNow(kind: Item['kind']): string | null {
    const serving = this.#models.serving()
    const model = serving === null ? null : this.#models.digestOf(serving)
    return this.#putAside.of(kind, this.keeper.confirmed(), kind === 'config' ? this.#configs.inForce : model)
  }

  /** Have the settings in force that should be, before anything is made with them; what cannot be used is put aside. */
  async #configure(): Promise<void> {
    const { signal } = this.#ending
    for (;;) {
      const item = this.keeper.wanted('config')
      try {
        if (item !== null) await this.#configs.serve(item, { keepBefore: false, signal })
        return
      } catch (error) {
        if (item === null) throw error
        const msg = error instanceof EdgeError ? error.toLine() : messageOf(error)
        await this.keeper.unusable(item, msg)
        if (this.keeper.wanted('config')?.digest !== item.digest) continue
        return this.#asideOf(item, msg)
      }
    }
  }

  /** End what is going on; what is on probation goes on at the next start. */
  async stop(): Promise<void> {
    this.#ending.abort()
    if (this.#lister !== null) clearInterval(this.#lister)
    this.#lister = null
    await this.delivery.stop()
    await this.keeper.stop()
    this.#models.settle()
    await this.#reader.stop()
  }

  /** What the service tells: a model that dies on probation counts against it. */
  onService(event: ServiceEvent): void {
    if (event.event === 'model.died') void this.keeper.died(this.#models.digestOf(event.model), event.reason)
  }

  /** What a status tells of changes. */
  status(): StatusChanges {
    const drift = this.#asideNow('config')
    return {
      change: this.keeper.status(),
      confirmed: [...this.keeper.confirmed()],
      models: [...this.#onDisk],
      ...this.#variants.status(this.#models.serving()),
      ...(drift === null ? {} : { drift: [drift.slice(0, 200)] }),
    }
  }

  findings(): Omit<Condition, 'since'>[] {
    const found = this.keeper.findings()
    const model = this.#asideNow('model')
    if (model !== null) found.push({ code: 'model_put_aside', severity: 'critical', msg: model })
    const config = this.#asideNow('config')
    if (config !== null) found.push({ code: 'config_drift', severity: 'warning', msg: config })
    return found
  }

  async #baseModel({ isAnew }: { readonly isAnew: boolean } = { isAnew: false }): Promise<OwnModel> {
    if (this.#base !== null && !isAnew) return this.#base
    const folder = await configuredFolder(this.#parts.config.models)
    const item = await ownItemOf(folder)
    // Measured once for all starts, before anything serves that could be disturbed.
    const measure = this.#models.serving() === null ? 'normal' : null
    const model = await this.#variants.choose(folder, { measure, signal: this.#ending.signal })
    const found = { item, model }
    // Who looks anew moves nothing that serves.
    this.#base ??= found
    return found
  }

  async #prune(pinned: ReadonlySet<string>, mayRemove: boolean): Promise<void> {
    const wanted = new Map([...pinned].map((digest) => [`change-${digest.slice(0, 32)}`, digest]))
    for (const [name, digest] of wanted) if (this.shelf.pins[name] !== digest) await this.shelf.pin(name, digest)
    for (const name of Object.keys(this.shelf.pins)) {
      if (name.startsWith('change-') && !wanted.has(name)) await this.shelf.pin(name, null)
    }
    if (mayRemove) await this.shelf.removeUnpinned(UNUSED_FOR_MS)
  }

  async #list(): Promise<void> {
    try {
      const shelved = (await this.shelf.list()).filter(({ signed }) => signed.statement.kind === 'model')
      const { models } = await loadModels(this.#parts.config.models.dir).catch(() => ({ models: [] }))
      const labels = [
        ...shelved.map(({ signed: { statement } }) => labelOf(statement)),
        ...models.map(({ manifest }) => labelOf(manifest)),
      ]
      this.#onDisk = [...new Set(labels)].sort().slice(0, MAX_LISTED)
    } catch (error) {
      this.#parts.log.warn('model.not_listed', messageOf(error))
    }
  }
}

function slotPath(stateDir: string): string {
  return join(stateDir, 'changes', 'slot.json')
}

/** What devices were answered, without what was their own fault. */
function servedOf(meters: InferenceMeters): Served {
  const { ok, abnormal, failed, slow } = meters.counters()
  return { requests: ok + abnormal + failed, failed, slow }
}
