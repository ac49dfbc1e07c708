import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifyFolder } from '../../packages/verify-folder.ts'
import { type Item, isSameItem, OWN_SETTINGS } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { CONFIG_FILE, MAX_CONFIG_BYTES } from '../../protocol/package.ts'
import { type LiveSettings, type Overlay, readOverlay } from '../config/live-settings.ts'
import type { PackageShelf } from '../models/shelf.ts'
import type { ChangeKind } from './contract.ts'
import type { Bring } from './model-kind.ts'
import { readPatiently } from './patient-read.ts'
import { packageOf } from './slot-state.ts'

/** What a {@link ConfigKind} is made of. */
export interface ConfigKindOptions {
  readonly shelf: Pick<PackageShelf, 'find' | 'trust'>
  readonly bring: Bring
  readonly settings: Pick<LiveSettings, 'use'>
  readonly log: { info(event: string, msg: string, fields?: Readonly<Record<string, string>>): void }
}

/** Configuration as items (requirement R6): a package with one YAML file over the settings that may change while a node runs. */
export class ConfigKind implements ChangeKind {
  readonly compare = null
  readonly watch = null
  readonly #options: ConfigKindOptions
  /** Digest of what is in force; null for what the node was set up with. */
  inForce: string | null = null

  constructor(options: ConfigKindOptions) {
    this.#options = options
  }

  /** @throws EdgeError of the delivery, `PACKAGE_INVALID`, `CONFIG_INVALID` with the lines that cannot be taken */
  async stage(item: Item, { sources, signal, onProgress }: Parameters<ChangeKind['stage']>[1]): Promise<void> {
    if (item.origin !== undefined) return asOwn(item)
    await this.#options.bring({ item, sources }, { signal, progress: onProgress })
    await this.#read(item, signal)
  }

  own(): Item {
    return OWN_SETTINGS
  }

  async serve(item: Item | null, { signal }: Parameters<ChangeKind['serve']>[1]): Promise<void> {
    const { settings, log } = this.#options
    if (item?.origin !== undefined) asOwn(item)
    const overlay = item === null || item.origin !== undefined ? null : await this.#read(item, signal)
    settings.use(overlay)
    this.inForce = packageOf(item)
    if (item === null || overlay === null)
      log.info('config.own', 'the settings are those of the configuration of this node')
    else log.info('config.applied', `settings of ${item.name}@${item.version} are in force`, { ...overlay.says })
  }

  settle(): void {
    // What was in force before costs nothing to go back to.
  }

  /** Verified anew: what lies on a disk may have changed since it came there. */
  async #read(item: Item, signal: AbortSignal): Promise<Overlay> {
    const { shelf } = this.#options
    const name = `${item.name}@${item.version}`
    const held = await readPatiently(() => shelf.find(item.digest), { signal })
    if (held === null) {
      throw new EdgeError('PACKAGE_MISSING', {
        message: `the package of ${name} is not on this node`,
        next: ['roll it out again'],
      })
    }
    const wish = { folder: held.folder, trust: shelf.trust, digest: item.digest, signal }
    const { statement } = await readPatiently(() => verifyFolder(wish), { signal })
    const [file, more] = statement.files
    if (statement.kind !== 'config' || file?.path !== CONFIG_FILE || more !== undefined) {
      throw new EdgeError('PACKAGE_INVALID', {
        message: `${name} is no package of configuration: it must hold ${CONFIG_FILE} and nothing else`,
        next: ['make it with edgedeck config pack'],
      })
    }
    if (file.bytes > MAX_CONFIG_BYTES) {
      throw new EdgeError('PACKAGE_INVALID', {
        message: `${CONFIG_FILE} of ${name} has ${file.bytes} bytes, and at most ${MAX_CONFIG_BYTES} are read`,
        next: ['make it shorter'],
      })
    }
    return readOverlay(await readFile(join(held.folder, CONFIG_FILE), 'utf8'), `${name}/${CONFIG_FILE}`)
  }
}

function asOwn(item: Item): void {
  if (isSameItem(item, OWN_SETTINGS)) return
  throw new EdgeError('CHANGE_UNFIT', {
    message: `${item.name}@${item.version} does not name the settings of this node`,
    next: ['undo with a console of the version of this node'],
  })
}
