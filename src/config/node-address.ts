import { LIVE_PATH } from '../../protocol/frames.ts'
import { isLoopback } from '../../settings/loopback.ts'

/** A node of the operator's inventory. */
export interface NodeAddress {
  /** The operator's own name for it; over TLS it is the name in the node's certificate too. */
  readonly key: string
  /** Null for one that is reached through the bus alone. */
  readonly url: string | null
  /** Where it must belong to by its certificate; absent = wherever. */
  readonly site?: string
  /** Its name on the bus where that is not the key, since several sites have one of that name. */
  readonly node?: string
  /** Where it is reached over SSH: `[user@]host[:port]`, or an alias of `~/.ssh/config`; absent = by its url or the context. */
  readonly ssh?: string
  /** Its name in Kubernetes where that is another one. */
  readonly kubeNode?: string
}

const MAX_KEY_LENGTH = 253
const MAX_SITE_LENGTH = 253

/**
 * A node from its name and address (null when it has none); a sentence when one of them will not do. The path is `/live`
 * when none is given.
 */
export function readAddress(name: string, address: string | null, site?: string): NodeAddress | string {
  const key = name.trim()
  if (key === '' || key.length > MAX_KEY_LENGTH) return `the name must have 1 to ${MAX_KEY_LENGTH} characters`
  if (site !== undefined && (site === '' || site.length > MAX_SITE_LENGTH)) {
    return `the site must have 1 to ${MAX_SITE_LENGTH} characters`
  }
  const where = site === undefined ? {} : { site }
  if (address === null) return { key, url: null, ...where }
  const url = URL.parse(address.trim())
  if (url === null || !/^wss?:$/.test(url.protocol) || url.hostname === '') {
    return `expected an address such as "wss://press-4.example:5443${LIVE_PATH}", found "${address}"`
  }
  if (url.pathname === '/' || url.pathname === '') url.pathname = LIVE_PATH
  url.hash = ''
  return { key, url: url.href, ...where }
}

/** Whether what goes to an address could be read and changed on its way: plain, and off this machine. */
export function isExposed({ url }: Pick<NodeAddress, 'url'>): boolean {
  if (url === null) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'ws:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))
}
