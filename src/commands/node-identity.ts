import type { NodeIdentity } from '../cloud/cloud-history.ts'

/** Who a name is in the cloud: `SITE/NODE`, or a node of whatever site. */
export function identityOf(name: string): NodeIdentity {
  const slash = name.indexOf('/')
  return slash <= 0 ? { node: name, site: null } : { site: name.slice(0, slash), node: name.slice(slash + 1) }
}
