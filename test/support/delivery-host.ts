import { createCipheriv } from 'node:crypto'
import { copyFileSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PackageSource } from '../../edge-daemon/delivery/contract.ts'
import { Delivery, type DeliveryOptions } from '../../edge-daemon/delivery/delivery.ts'
import { IncomingPackages } from '../../edge-daemon/delivery/incoming-packages.ts'
import { Pace } from '../../edge-daemon/delivery/pace.ts'
import { PackageShelf } from '../../edge-daemon/models/shelf.ts'
import { publicOf } from '../../identity/keys.ts'
import { newPackageKey, type PackageSigner, packageKeyId } from '../../identity/package-signature.ts'
import type { Item, Source } from '../../protocol/change.ts'
import type { SignedPackage } from '../../protocol/package.ts'
import { type WrittenPackage, writePackage } from './model-package.ts'

/** Key that signs the packages of a test. */
export const PACKAGE_KEY = newPackageKey()
/** @see PACKAGE_KEY */
export const TRUST: readonly PackageSigner[] = [{ id: packageKeyId(PACKAGE_KEY), key: publicOf(PACKAGE_KEY) }]

/** So many bytes that do not compress, the same for the same seed. */
export function noise(sizeBytes: number, seed = 1): Uint8Array {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(sizeBytes))
}

/** What a package is called in an order. */
export function itemOf({ signed, digest }: Pick<WrittenPackage, 'signed' | 'digest'>): Item {
  const { kind, name, version } = signed.statement
  if (kind === 'labelled') throw new TypeError('a labelled set is no item')
  return { kind, name, version, digest }
}

/** Lay a package out as a web server serves it. */
export function layOut(folder: string, { folder: from, signed, digest }: WrittenPackage): void {
  mkdirSync(join(folder, 'packages'), { recursive: true })
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  copyFileSync(join(from, 'package.sig'), join(folder, 'packages', digest))
  for (const { path, sha256 } of signed.statement.files) copyFileSync(join(from, path), join(folder, 'blobs', sha256))
}

/** A node's end of deliveries, in a folder of its own. */
export interface DeliveryHost {
  readonly dir: string
  /** Folder for what is served. */
  readonly web: string
  readonly shelf: PackageShelf
  readonly packages: IncomingPackages
  readonly said: string[]
  delivery(open: (source: Source) => readonly PackageSource[], more?: Partial<DeliveryOptions>): Delivery
  /** Make a package that the host trusts unless it is signed otherwise. */
  make(
    files: Readonly<Record<string, string | Uint8Array>>,
    said?: Partial<Pick<SignedPackage['statement'], 'kind' | 'name' | 'version'>> & {
      keys?: readonly (typeof PACKAGE_KEY)[]
    },
  ): Promise<WrittenPackage>
  /** The same folder as a process that starts anew finds it. */
  reopen(): Promise<DeliveryHost>
  [Symbol.asyncDispose](): Promise<void>
}

/** @see DeliveryHost */
export interface HostWishes {
  readonly trust?: readonly PackageSigner[]
  readonly bytesPerSec?: number | null
  readonly keepFreeBytes?: number
  readonly freeBytes?: (path: string) => Promise<number>
  readonly dir?: string
}

/** Make one; `await using` removes it. */
export async function deliveryHost(wishes: HostWishes = {}): Promise<DeliveryHost> {
  const { trust = TRUST, bytesPerSec = null, keepFreeBytes = 0, freeBytes } = wishes
  const dir = wishes.dir ?? (await mkdtemp(join(tmpdir(), 'edgedeck-delivery-')))
  const web = join(dir, 'web')
  mkdirSync(web, { recursive: true })
  const shelf = await PackageShelf.open(join(dir, 'state'), trust)
  const room = { keepFreeBytes, ...(freeBytes === undefined ? {} : { freeBytes }) }
  const packages = new IncomingPackages({ place: shelf, pace: new Pace({ bytesPerSec }), room })
  await packages.start()
  const said: string[] = []
  const log = {
    info: (event: string, msg: string) => said.push(`${event} ${msg}`),
    warn: (event: string, msg: string) => said.push(`${event} ${msg}`),
  }
  let made = 0
  return {
    dir,
    web,
    shelf,
    packages,
    said,
    delivery: (open, more = {}) =>
      new Delivery({ packages, open, log, backoff: { firstMs: 10, maxMs: 50 }, patienceMs: 60_000, ...more }),
    make: async (files, { keys = [PACKAGE_KEY], ...said_ } = {}) => {
      made += 1
      return writePackage(join(dir, `made-${made}-${Date.now()}`), files, { ...said_, keys })
    },
    reopen: () => deliveryHost({ ...wishes, dir }),
    [Symbol.asyncDispose]: async () => {
      packages.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
