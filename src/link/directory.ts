import { EdgeError } from '../../protocol/errors.ts'
import { LIVE_PATH } from '../../protocol/frames.ts'

/** A node of the operator's inventory. */
export interface NodeAddress {
  /** The operator's own name for it. */
  readonly key: string
  readonly url: string
}

const MAX_KEY_LENGTH = 100

/**
 * Read a `--node NAME=ws://host:port[/live]`; the path is `/live` when none is given.
 * @throws EdgeError `USAGE`
 */
export function parseNodeFlag(flag: string): NodeAddress {
  const at = flag.indexOf('=')
  const key = flag.slice(0, Math.max(0, at)).trim()
  if (at <= 0 || key === '') throw usage(`--node ${flag}: a name and an address are wanted`)
  const read = readAddress(key, flag.slice(at + 1))
  if (typeof read === 'string') throw usage(`--node ${flag}: ${read}`)
  return read
}

/** A node from its name and address; a sentence when one of them will not do. */
export function readAddress(name: string, address: string): NodeAddress | string {
  const key = name.trim()
  if (key === '' || key.length > MAX_KEY_LENGTH) return `the name must have 1 to ${MAX_KEY_LENGTH} characters`
  const url = URL.parse(address.trim())
  if (url === null || !/^wss?:$/.test(url.protocol)) {
    return `expected an address such as "ws://127.0.0.1:5443${LIVE_PATH}", found "${address}"`
  }
  if (url.pathname === '/' || url.pathname === '') url.pathname = LIVE_PATH
  url.hash = ''
  return { key, url: url.href }
}

/**
 * One list of nodes; command line first, then the file. The same name twice is the command line's.
 * @throws EdgeError `USAGE` when one list names a node twice.
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
  return new EdgeError('USAGE', { message, next: [`write --node NAME=ws://host:5443${LIVE_PATH}`] })
}
