import type { NodeAddress } from '../config/node-address.ts'
import type { SshAccess } from '../config/ssh-access.ts'
import { readSshDestination, type SshDestination } from '../config/ssh-destination.ts'
import type { ConfigItem } from './config-file.ts'
import { isNamed } from './config-options.ts'

/** A name that may stand in an address: what a node calls itself is put into the operator's rule as a label or labels alone. */
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/

/**
 * Where the operator says that a node is reached over SSH; null when they do not. In turn: what stands beside it in the
 * inventory, the host of its url, the rule of the context, and a `Host` of its name in OpenSSH's files.
 */
export function sshDestinationOf(
  { key, url, ssh, node, site }: Pick<NodeAddress, 'key' | 'url' | 'ssh' | 'node' | 'site'>,
  access: SshAccess | null,
  items: readonly ConfigItem[],
): SshDestination | null {
  if (ssh !== undefined) return taken(ssh)
  if (url !== null) return taken(new URL(url).hostname)
  const name = node ?? key
  if (!NAME.test(name)) return null
  const rule = access?.host ?? null
  if (rule !== null) {
    if (rule.includes('{site}') && (site === undefined || !NAME.test(site))) return null
    return taken(rule.replaceAll('{node}', name).replaceAll('{site}', site ?? ''))
  }
  return isNamed(items, name) ? { user: null, host: name, port: null } : null
}

function taken(text: string): SshDestination | null {
  const read = readSshDestination(text)
  return typeof read === 'string' ? null : read
}
