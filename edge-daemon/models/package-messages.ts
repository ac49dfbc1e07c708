import type { OpenedPackage } from '../../packages/model-package.ts'
import type { VerifiedPackage, VerifyOptions } from '../../packages/verify-folder.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

/** What is to be looked at, without who may break it off. */
export type PackageWish = Omit<VerifyOptions, 'signal'>

/** To the thread that reads packages. */
export type ToPackages =
  /** `open` reads a model's manifest and graphs too. */
  | { readonly t: 'verify' | 'open'; readonly id: number; readonly wish: PackageWish }
  | { readonly t: 'end'; readonly id: number }

/** From the thread that reads packages. */
export type FromPackages =
  | { readonly id: number; readonly found: VerifiedPackage | OpenedPackage }
  /** Without a code it is a mistake of ours. */
  | { readonly id: number; readonly code: ErrorCode | null; readonly msg: string; readonly next: readonly string[] }
