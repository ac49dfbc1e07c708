import type { PackageSigner } from '../../identity/package-signature.ts'
import type { Item, Source } from '../../protocol/change.ts'
import type { SignedPackage } from '../../protocol/package.ts'

/** A package that lies whole and verified on the node's disk. */
export interface DeliveredPackage {
  readonly digest: string
  /** Absolute path of its folder. */
  readonly folder: string
}

/** What delivery needs of the place where whole packages are kept. */
export interface PackagePlace {
  /** One of these must have signed what is brought here; none takes nothing. */
  readonly trust: readonly PackageSigner[]
  /** Where packages on their way are put together, each in a folder named by its digest. */
  readonly incoming: string
  /** The package of this digest; null when none lies here. @throws EdgeError `PACKAGE_UNREAD` */
  find(digest: string): Promise<DeliveredPackage | null>
  /**
   * As {@link find}, every file looked at; null when it is not here whole, and is to be brought.
   * @throws EdgeError `PACKAGE_UNREAD` where the disk does not give a file, which may be as good as it was
   */
  findWhole(digest: string): Promise<DeliveredPackage | null>
  /** Path of a file with this content in one of the packages that are kept; null for none. */
  fileOf(sha256: string, sizeBytes: number): Promise<string | null>
  /**
   * Take a folder below {@link incoming} that holds a whole package: verified, synced, and in its place by one step.
   * @throws EdgeError `PACKAGE_INVALID`, `PACKAGE_UNTRUSTED`, `PACKAGE_UNREAD`
   */
  accept(folder: string, signed: SignedPackage): Promise<DeliveredPackage>
}

/** How far a delivery is; bytes that did not have to be fetched count as done. */
export interface DeliveryProgress {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** What is to be brought, and from where: sources are tried in turn. */
export interface DeliveryWish {
  readonly item: Item
  readonly sources: readonly Source[]
}

/** @see Deliver */
export interface DeliveryRun {
  /** Ends it; what is there already stays for the next time. */
  readonly signal: AbortSignal
  readonly progress: (progress: DeliveryProgress) => void
}

/**
 * Bring a package to this node. At once when it is here; what came before a cut or a kill is not fetched again.
 * @throws EdgeError `PACKAGE_MISSING` when no source has it or none gets on, `PACKAGE_INVALID` when what they have is not
 * it, `PACKAGE_UNTRUSTED` when nobody whom this node trusts signed it, `DISK_FULL`, `PACKAGE_UNREAD` when the disk for long
 * does not give what lies on it; the signal's reason when it is aborted
 */
export type Deliver = (wish: DeliveryWish, run: DeliveryRun) => Promise<DeliveredPackage>

/** A stretch of a blob as a source gave it. */
export interface BlobPiece {
  /** Where in the blob it begins. */
  readonly at: number
  readonly data: Uint8Array
}

/** One place that a package is fetched from. Everything it gives is untrusted. */
export interface PackageSource {
  /** For people, without user and password. */
  readonly name: string
  /** The bytes of `package.sig`, never more than may be read of one. @throws SourceFault */
  statement(digest: string, signal: AbortSignal): Promise<Uint8Array>
  /**
   * The content of a blob from an offset on; a source that cannot begin there begins at 0. Whoever reads takes as long
   * as it likes between two pieces, and nothing is gathered meanwhile. @throws SourceFault
   */
  read(blob: BlobWish, offset: number, signal: AbortSignal): AsyncIterable<BlobPiece>
  close(): Promise<void>
}

/** @see PackageSource.read */
export interface BlobWish {
  readonly sha256: string
  readonly sizeBytes: number
}

/**
 * What a source did not do: `missing`, it says that it has it not; `wrong`, it gives something else; `slow`, it gives so little
 * that this is not getting on; `away`, nobody knows.
 */
export class SourceFault extends Error {
  readonly kind: 'missing' | 'wrong' | 'slow' | 'away'

  constructor(kind: SourceFault['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SourceFault'
    this.kind = kind
  }
}
