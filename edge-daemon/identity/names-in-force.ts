import { EdgeError } from '../../protocol/errors.ts'
import type { ConfigEntry, LoadedConfig } from '../config/load.ts'
import type { NodeIdentity } from './node-identity.ts'

/** Where a name is from when the certificate says it. */
const CERTIFICATE = 'certificate'

/**
 * The configuration of a node that has joined: it is called what its certificate says (identity never comes from what a
 * node says of itself).
 * @throws EdgeError `CONFIG_UNSERVABLE` when another name is configured
 */
export function withNamesOf(
  identity: Pick<NodeIdentity, 'site' | 'node'> | null,
  { config, entries, warnings }: LoadedConfig,
): LoadedConfig {
  if (identity === null) return { config, entries, warnings }
  const names = { 'node.name': identity.node, 'node.site': identity.site }
  const settled = entries.map((entry): ConfigEntry => {
    const name = Object.hasOwn(names, entry.path) ? names[entry.path as keyof typeof names] : null
    if (name === null) return entry
    if (entry.origin !== 'default' && entry.value !== name) {
      throw new EdgeError('CONFIG_UNSERVABLE', {
        message: `${entry.path} is ${entry.value} (${entry.origin}), and the certificate of this node says ${name}`,
        next: [
          `set ${entry.path} to ${name}, or leave it out`,
          'or join under the new name: edgedeck pki token, then edge-daemon join with another state.dir',
        ],
      })
    }
    return { ...entry, value: name, origin: entry.origin === 'default' ? CERTIFICATE : entry.origin }
  })
  return { config: { ...config, node: { name: identity.node, site: identity.site } }, entries: settled, warnings }
}
