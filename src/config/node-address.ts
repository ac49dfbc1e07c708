import { LIVE_PATH } from '../../protocol/frames.ts'

/** A node of the operator's inventory. */
export interface NodeAddress {
  /** The operator's own name for it. */
  readonly key: string
  readonly url: string
}

const MAX_KEY_LENGTH = 100

/** A node from its name and address; a sentence when one of them will not do. The path is `/live` when none is given. */
export function readAddress(name: string, address: string): NodeAddress | string {
  const key = name.trim()
  if (key === '' || key.length > MAX_KEY_LENGTH) return `the name must have 1 to ${MAX_KEY_LENGTH} characters`
  const url = URL.parse(address.trim())
  if (url === null || !/^wss?:$/.test(url.protocol) || url.hostname === '') {
    return `expected an address such as "ws://127.0.0.1:5443${LIVE_PATH}", found "${address}"`
  }
  if (url.pathname === '/' || url.pathname === '') url.pathname = LIVE_PATH
  url.hash = ''
  return { key, url: url.href }
}
