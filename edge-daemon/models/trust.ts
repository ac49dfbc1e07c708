import type { PackageSigner } from '../../identity/package-signature.ts'
import { readTrust } from '../../packages/trust.ts'

/**
 * The keys of `models.trust`. An empty list means that this node takes no packages from elsewhere.
 * @throws EdgeError `CONFIG_UNSERVABLE` with the entry that is no key.
 */
export async function readPackageTrust(entries: readonly string[]): Promise<readonly PackageSigner[]> {
  return await readTrust(entries, { what: 'models.trust', code: 'CONFIG_UNSERVABLE' })
}
