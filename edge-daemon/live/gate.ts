import type { IncomingMessage } from 'node:http'
import { LIVE_PATH, LIVE_SUBPROTOCOL } from '../../protocol/frames.ts'
import { isLoopback } from '../../settings/loopback.ts'
import type { Peer } from './contract.ts'

/** Why a request may not become a live session, as an HTTP answer. */
export interface Refusal {
  readonly status: number
  readonly msg: string
}

/**
 * Whether a request is one of ours at all; null when it is. Browsers are kept out: they always send `Origin`, and on the
 * plain listener a page that rebinds its name to 127.0.0.1 (DNS rebinding) still sends its own name as `Host`.
 */
export function strangerOf(request: IncomingMessage, peer: Peer): Refusal | null {
  if (request.headers.origin !== undefined) return { status: 403, msg: 'web pages are not served here' }
  if (peer.kind === 'local' && !isLoopback(hostOf(request.headers.host ?? ''))) {
    return { status: 403, msg: 'connect by a loopback address, e.g. ws://127.0.0.1:5443/live' }
  }
  return null
}

/** Whether a request may be upgraded; null when it may. */
export function refusalOf(request: IncomingMessage, peer: Peer): Refusal | null {
  const path = (request.url ?? '').split('?')[0]
  if (path !== LIVE_PATH) return { status: 404, msg: `there is only ${LIVE_PATH} here` }
  const stranger = strangerOf(request, peer)
  if (stranger !== null) return stranger
  if (peer.kind === 'service') return { status: 403, msg: `${peer.name} is a service and may not look at nodes` }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (!offered.includes(LIVE_SUBPROTOCOL)) {
    return { status: 400, msg: `the WebSocket subprotocol must be ${LIVE_SUBPROTOCOL}` }
  }
  return null
}

function hostOf(header: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(header)
  return bracketed?.[1] ?? header.replace(/:\d+$/, '')
}
