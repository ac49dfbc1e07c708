import { join } from 'node:path'
import type { DenyList } from '../../identity/deny-list.ts'
import { type Named, titleOf } from '../../identity/names.ts'
import type { TrustBundle } from '../../identity/trust-bundle.ts'
import { namedBy, readPem } from '../../identity/verify.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { readText, replaceFile } from './durable-file.ts'

/** What somebody needs to show who they are and to know whom to believe. */
export interface IdentityFiles {
  readonly keyPem: string
  /** Leaf and what leads to a root. */
  readonly certPem: string
  readonly trust: TrustBundle
  readonly deny: DenyList | null
  /** The roots in PEM, for servers that know nothing of trust bundles; null = not needed. */
  readonly ca: string | null
  /** What opens NATS; null when there is none. */
  readonly natsCreds: string | null
}

/**
 * Write `key.pem` (for its owner alone), `cert.pem`, `trust.json` and what else there is into a folder.
 * @throws EdgeError `PKI_UNUSABLE`
 */
export function writeIdentity(dir: string, files: IdentityFiles): void {
  replaceFile(join(dir, 'key.pem'), files.keyPem, 0o600)
  replaceFile(join(dir, 'cert.pem'), files.certPem)
  replaceFile(join(dir, 'trust.json'), `${JSON.stringify(files.trust)}\n`)
  if (files.deny !== null) replaceFile(join(dir, 'deny.json'), `${JSON.stringify(files.deny)}\n`)
  if (files.ca !== null) replaceFile(join(dir, 'ca.pem'), files.ca)
  if (files.natsCreds !== null) replaceFile(join(dir, 'nats.creds'), files.natsCreds, 0o600)
}

/**
 * Refuse a folder that holds the identity of somebody else; `next` says what to do then.
 * @throws EdgeError `OUTPUT_REFUSED`
 */
export function mustBeFreeFor(dir: string, named: Named, next: readonly string[]): void {
  const held = holderOf(readText(join(dir, 'cert.pem')))
  if (held === null || (held.kind === named.kind && held.fleet === named.fleet && titleOf(held) === titleOf(named)))
    return
  throw new EdgeError('OUTPUT_REFUSED', {
    message: `${dir} holds the identity of ${held.kind} ${titleOf(held)} of the fleet ${held.fleet}`,
    next,
  })
}

function holderOf(pem: string | null): Named | null {
  try {
    const [leaf] = readPem(pem ?? '')
    return leaf === undefined ? null : namedBy(leaf)
  } catch {
    return null
  }
}
