import type { Item, Source } from '../../protocol/change.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { readLocalPackage } from '../packages/local-package.ts'
import { bringToBucket } from './bring-to-bucket.ts'
import { findItem, isFolderName } from './rollout-package.ts'

/** What {@link LocalPackages} need. */
export interface LocalPackagesOptions {
  /** Regions that nodes fetch from; none where the fleet has no bus. */
  readonly clouds: readonly CloudAddress[]
  readonly signal: AbortSignal
}

/** What of a plan says whether a package has to be brought. */
type Wanted = { readonly item: Item; readonly sources: readonly Source[] }

const TIMEOUT_MS = 30_000

/**
 * Packages that were named by a folder of this machine. They are brought to the bucket of each region before a rollout of
 * them begins, so that whoever drives it later does not depend on this console.
 */
export class LocalPackages {
  readonly #options: LocalPackagesOptions
  /** By digest. */
  readonly #folders = new Map<string, string>()

  constructor(options: LocalPackagesOptions) {
    this.#options = options
  }

  /** What a name stands for, see {@link findItem}; the folder of a package is remembered. */
  async find(name: string): Promise<Item> {
    const item = await findItem(name)
    if (isFolderName(name)) this.remember(item, name)
    return item
  }

  /** A package was found in a folder, whole or not: it is verified before it is brought. */
  remember({ digest }: Item, folder: string): void {
    this.#folders.set(digest, folder)
  }

  /** Whether a package has to be brought from here before nodes are sent for it. */
  isHere({ item, sources }: Wanted): boolean {
    return this.#folders.has(item.digest) && bucketOf(sources) !== null && this.#options.clouds.length > 0
  }

  /**
   * Bring it, if it {@link isHere}: to every region, since each node may reach only one.
   * @throws EdgeError `CLOUD_UNREACHABLE`, or as {@link readLocalPackage}
   */
  async bring(wanted: Wanted): Promise<void> {
    const { clouds, signal } = this.#options
    const folder = this.#folders.get(wanted.item.digest)
    const bucket = bucketOf(wanted.sources)
    if (folder === undefined || bucket === null || clouds.length === 0) return
    const made = await readLocalPackage(folder)
    for (const cloud of clouds) {
      try {
        await bringToBucket(made, { cloud, bucket, timeoutMs: TIMEOUT_MS, signal })
      } catch (cause) {
        signal.throwIfAborted()
        throw new EdgeError('CLOUD_UNREACHABLE', {
          message: `the package could not be brought to ${cloud.name}/${bucket}, so nothing was begun: ${messageOf(cause)}`,
          next: [
            'do it again: what came so far is not sent anew',
            'or bring it to the nodes (edgedeck model push PACKAGE --to nodes) and begin with --from link',
          ],
          cause,
        })
      }
    }
  }
}

function bucketOf(sources: readonly Source[]): string | null {
  for (const source of sources) if (source.kind === 'nats') return source.bucket
  return null
}
