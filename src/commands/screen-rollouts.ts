import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import type { Item } from '../../protocol/change.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { safe } from '../fleet/clean.ts'
import type { Fleet } from '../fleet/fleet.ts'
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
  /** Packages that are known to be there besides those of the nodes. */
  readonly offers?: () => readonly PackageOffer[]
  /** What the dialog begins with; the defaults when absent. */
  readonly first?: Strategy
}

/** Rollouts as the screen begins, drives and shows them, until they are closed. */
export async function screenRollouts(
  options: ScreenRolloutsOptions,
): Promise<{ readonly parts: RolloutParts; close(): Promise<void> }> {
  const { place, fleet, identity, bucket, offers, first, clouds = [] } = options
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
      offers: () => Promise.resolve({ offers: [...(offers?.() ?? []), ...onNodes(fleet.fleet, sources)], faults: [] }),
      find: async (typed) => {
        const item = await packages.find(typed)
        const brought = packages.isHere({ item, sources }) ? ', and it is brought to their bucket first' : ''
        return { item, signedBy: [], where: safe(`as typed; nodes verify who signed it${brought}`), sources }
      },
      strategy: readStrategy,
      ...(first === undefined ? {} : { first }),
    },
  }
}

/** What nodes have confirmed, or carry now: known by digest, and had from where they had it. */
function onNodes(fleet: Fleet, sources: PackageOffer['sources']): PackageOffer[] {
  const found = new Map<string, { readonly item: Item; nodes: number }>()
  for (const key of fleet.keys()) {
    const changes = fleet.told(key, Date.now())?.status?.changes
    const change = changes?.change ?? null
    const items = [...(changes?.confirmed ?? []), ...(change === null ? [] : [change.item])]
    // What a node was set up with cannot be brought to others.
    const packages = items.filter(({ origin }) => origin === undefined)
    for (const item of new Map(packages.map((one) => [one.digest, one])).values()) {
      const seen = found.get(item.digest)
      if (seen === undefined) found.set(item.digest, { item, nodes: 1 })
      else seen.nodes += 1
    }
  }
  return [...found.values()].map(({ item, nodes }) => ({
    item,
    signedBy: [],
    where: safe(`known to ${nodes === 1 ? '1 node' : `${nodes} nodes`}`),
    sources,
  }))
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
