import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { safe } from '../fleet/clean.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { standingOf } from '../identity/standing.ts'
import type { Plan, Strategy } from '../rollout/contract.ts'
import { type JournalPlace, openRollouts } from '../rollout/open-rollouts.ts'
import { parseStrategy } from '../rollout/strategy.ts'
import type { RolloutFleet } from '../rollout/targets/daemon.ts'
import type { PackageOffer } from '../ui/rollouts/face.ts'
import type { RolloutParts } from '../ui/rollouts/visit.ts'
import { LocalPackages } from './local-packages.ts'
import { sourcesOf } from './rollout-package.ts'
import { bucketPlaces, folderPlace, knownPlace, nodesPlace } from './screen-packages.ts'

/** What rollouts of the screen are opened with. */
export interface ScreenRolloutsOptions {
  readonly place: JournalPlace
  readonly fleet: RolloutFleet
  readonly identity: IdentitySource
  /** Bucket of the fleet's bus that nodes fetch packages from; null where it has none. */
  readonly bucket: string | null
  /** Regions that nodes fetch from, to which a package of this machine is brought before it is rolled out. */
  readonly clouds?: readonly CloudAddress[]
  /** Ends what is being brought. */
  readonly signal?: AbortSignal
  /** Folder of this machine whose packages are offered too. */
  readonly folder?: string
  /** Packages that are known to be there besides those. */
  readonly known?: { readonly name: string; readonly offers: () => readonly PackageOffer[] }
  /** What the dialog begins with; the defaults when absent. */
  readonly first?: Strategy
}

/** Rollouts as the screen begins, drives and shows them, until they are closed. */
export async function screenRollouts(
  options: ScreenRolloutsOptions,
): Promise<{ readonly parts: RolloutParts; close(): Promise<void> }> {
  const { place, fleet, identity, bucket, folder, known, first, clouds = [] } = options
  const { signal = new AbortController().signal } = options
  const who = standingOf(identity).name ?? userInfo().username
  const packages = new LocalPackages({ clouds: bucket === null ? [] : clouds, signal })
  const holder = `${who} at ${hostname()}`
  const beforeStart = (plan: Plan): Promise<void> => packages.bring(plan)
  const { service, close } = await openRollouts({ place, fleet, identity, holder, beforeStart })
  const sources = sourcesOf([], bucket)
  return {
    close,
    parts: {
      service,
      // The first that has a package says where nodes fetch it.
      places: [
        ...(known === undefined ? [] : [knownPlace(known.name, known.offers)]),
        ...(bucket === null ? [] : bucketPlaces(clouds, bucket, sources)),
        nodesPlace(fleet.fleet, sources),
        ...(folder === undefined ? [] : [folderPlace(folder, packages, sources)]),
      ],
      find: async (typed) => {
        const item = await packages.find(typed)
        const brought = packages.isHere({ item, sources }) ? ', and brought to the bucket first' : ''
        const nobodySays = { sizeBytes: null, sinceMs: null, signedBy: [], push: null }
        return { item, ...nobodySays, where: safe(`as typed${brought}`), sources }
      },
      strategy: readStrategy,
      ...(first === undefined ? {} : { first }),
    },
  }
}

async function readStrategy(file: string): ReturnType<RolloutParts['strategy']> {
  let text: string
  try {
    text = await readFile(resolve(file), 'utf8')
  } catch (error) {
    throw new EdgeError('CONFIG_INVALID', {
      message: `${file} cannot be read: ${messageOf(error)}`,
      next: ['name a YAML file with a strategy'],
      cause: error,
    })
  }
  return parseStrategy(text, file)
}
