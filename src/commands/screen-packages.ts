import { relative } from 'node:path'
import { digestOfStatement } from '../../identity/package-signature.ts'
import type { Item, Source } from '../../protocol/change.ts'
import type { SignedPackage } from '../../protocol/package.ts'
import { type UntrustedText, untrusted } from '../../protocol/untrusted-text.ts'
import { packagesIn } from '../cloud/bucket-packages.ts'
import { openCloud } from '../cloud/cloud-connection.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { safe } from '../fleet/clean.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { toldPackages } from '../packages/find-packages.ts'
import type { PackageOffer, PackagePlace } from '../ui/rollouts/face.ts'
import type { LocalPackages } from './local-packages.ts'

/** Longest that a bus may take for a connection or an answer, ms. */
const ANSWER_MS = 5000
/** Characters of a key's id that tell it from others. */
const KEY_CHARS = 16

/** What lies in the bucket of each region, where nodes fetch it. */
export function bucketPlaces(
  regions: readonly CloudAddress[],
  bucket: string,
  sources: readonly Source[],
): readonly PackagePlace[] {
  return regions.map((region) => {
    const at = regions.length === 1 ? '' : ` at ${region.name}`
    return bucketPlace(region, { bucket, where: safe(`bucket ${bucket}${at}`), sources })
  })
}

function bucketPlace(
  region: CloudAddress,
  {
    bucket,
    where,
    sources,
  }: { readonly bucket: string; readonly where: UntrustedText; readonly sources: readonly Source[] },
): PackagePlace {
  return {
    name: where,
    read: async (signal) => {
      const opened = await openCloud(region, { timeoutMs: ANSWER_MS, reconnects: 0 })
      try {
        const found = await packagesIn({ ...opened, bucket, timeoutMs: ANSWER_MS, signal })
        const offers = found.packages.flatMap(({ signed, storedAtMs }) =>
          offerOf(signed, { sinceMs: storedAtMs, where, push: null, sources }),
        )
        const faults = [
          ...found.damaged.map((digest) => `${where}: the statement of ${digest.slice(0, 12)} is damaged`),
          ...(found.unread > 0
            ? [`${where}: ${found.unread} older ones are not listed; type their NAME@VERSION#DIGEST`]
            : []),
        ]
        return { offers, faults: faults.map(safe) }
      } finally {
        await opened.connection.close()
      }
    },
  }
}

/** What lies in a folder of this machine: it is brought to the bucket before a rollout of it begins, where there is one. */
export function folderPlace(folder: string, packages: LocalPackages, sources: readonly Source[]): PackagePlace {
  return {
    name: safe(`the folder ${folder}`),
    read: async (signal) => {
      const told = await toldPackages(folder, signal)
      const offers = told.flatMap(({ folder: inside, signed, changedAtMs }) => {
        const path = `./${relative(folder, inside)}`
        return offerOf(signed, { sinceMs: changedAtMs, where: untrusted(path), push: null, sources }).map((offer) => {
          packages.remember(offer.item, inside)
          if (packages.isHere(offer)) return { ...offer, where: untrusted(`${path}, brought to the bucket first`) }
          return { ...offer, push: untrusted(`not seen where nodes fetch it: edgedeck model push ${path} --to nodes`) }
        })
      })
      return { offers, faults: [] }
    },
  }
}

/** What nodes have confirmed, or carry now: known by digest, and had from where they had it. */
export function nodesPlace(fleet: Fleet, sources: readonly Source[]): PackagePlace {
  return { name: safe('the nodes'), read: async () => ({ offers: onNodes(fleet, sources), faults: [] }) }
}

/** What is known without asking anybody. */
export function knownPlace(name: string, offers: () => readonly PackageOffer[]): PackagePlace {
  return { name: safe(name), read: async () => ({ offers: offers(), faults: [] }) }
}

function onNodes(fleet: Fleet, sources: readonly Source[]): PackageOffer[] {
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
    sizeBytes: null,
    sinceMs: null,
    signedBy: [],
    where: safe(`known to ${nodes === 1 ? '1 node' : `${nodes} nodes`}`),
    push: null,
    sources,
  }))
}

/** None for what is packed and signed but not rolled out, such as labelled pictures. */
function offerOf(
  { statement, signatures }: SignedPackage,
  rest: Pick<PackageOffer, 'sinceMs' | 'where' | 'push' | 'sources'>,
): PackageOffer[] {
  const { kind, name, version, files } = statement
  if (kind === 'labelled') return []
  return [
    {
      item: { kind, name, version, digest: digestOfStatement(statement) },
      sizeBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      signedBy: signatures.map(({ key }) => safe(key.slice(0, KEY_CHARS))),
      ...rest,
    },
  ]
}
