import type { IncomingMessage, ServerResponse } from 'node:http'
import { LIVE_PATH, LIVE_SUBPROTOCOL } from '../../protocol/frames.ts'
import { METRICS_CONTENT_TYPE } from '../health/metrics-text.ts'
import type { Peer } from './contract.ts'
import { strangerOf } from './gate.ts'

/** What a request that asks for no session may get. */
export interface PlainOffer {
  readonly peer: Peer | null
  /** Null when metrics are not told here. */
  readonly metricsText: (() => string) | null
}

/** Answer a request on the control listener that is no upgrade: `GET /metrics` for whoever was let in, and words for the rest. */
export function answerPlainly(
  request: IncomingMessage,
  response: ServerResponse,
  { peer, metricsText }: PlainOffer,
): void {
  const path = (request.url ?? '').split('?')[0]
  const isLooking = request.method === 'GET' || request.method === 'HEAD'
  const stranger = peer === null ? { status: 403, msg: 'nobody knows who asks' } : strangerOf(request, peer)
  if (path === LIVE_PATH) tell(response, 426, `upgrade to ${LIVE_SUBPROTOCOL}`)
  else if (path !== '/metrics' || metricsText === null) tell(response, 404, `see ${LIVE_PATH}`)
  else if (stranger !== null) tell(response, stranger.status, stranger.msg)
  else if (!isLooking) tell(response, 405, 'this address takes GET and HEAD only')
  else {
    const text = metricsText()
    response.writeHead(200, {
      'content-type': METRICS_CONTENT_TYPE,
      'content-length': Buffer.byteLength(text),
      connection: 'close',
    })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
}

function tell(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify({ error })}\n`)
}
