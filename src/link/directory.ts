import { EdgeError } from '../../protocol/errors.ts'
import { LIVE_PATH } from '../../protocol/frames.ts'
import { type NodeAddress, readAddress } from '../config/node-address.ts'

/**
 * Read a `--node [SITE/]NAME=wss://host:port[/live]`. Over TLS the site is held against the node's certificate too.
 * @throws EdgeError `USAGE`
 */
export function parseNodeFlag(flag: string): NodeAddress {
  const at = flag.indexOf('=')
  if (at <= 0) throw usage(`--node ${flag}: a name and an address are wanted`)
  const [name, address] = [flag.slice(0, at), flag.slice(at + 1)]
  const [site, node, ...more] = name.split('/')
  const hasSite = /^wss:/i.test(address) && node !== undefined && more.length === 0
  const read = hasSite ? readAddress(node, address, site) : readAddress(name, address)
  if (typeof read === 'string') throw usage(`--node ${flag}: ${read}`)
  return read
}

/**
 * One list of nodes; command line first, then the file. A name in both is the command line's.
 * @throws EdgeError `USAGE` when the command line names a node twice.
 */
export function mergeNodes(fromFlags: readonly NodeAddress[], fromFile: readonly NodeAddress[]): NodeAddress[] {
  const seen = new Set<string>()
  for (const { key } of fromFlags) {
    if (seen.has(key)) throw usage(`--node ${key} is given twice`)
    seen.add(key)
  }
  return [...fromFlags, ...fromFile.filter(({ key }) => !seen.has(key))]
}

function usage(message: string): EdgeError {
  return new EdgeError('USAGE', { message, next: [`write --node NAME=wss://host:5443${LIVE_PATH}`] })
}
