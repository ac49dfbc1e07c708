import type { IncomingMessage, ServerResponse } from 'node:http'

/** Seconds after which a refused device may try again. */
const RETRY_AFTER_SEC = '1'

/** Answer with JSON. A request that is not yet read to its end is thrown away as it comes. */
export function replyJson(response: ServerResponse, status: number, value: object): void {
  reply(response, status, 'application/json', JSON.stringify(value))
}

/** Answer with a text of the given content type; HEAD requests get the head alone. */
export function reply(response: ServerResponse, status: number, contentType: string, text: string): void {
  if (response.headersSent || response.destroyed) return
  const headers: Record<string, string | number> = {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
  }
  if (status === 503) headers['Retry-After'] = RETRY_AFTER_SEC
  response.writeHead(status, headers)
  response.end(text)
}

/**
 * Let the rest of a refused body run into nothing, so that the device can read its answer instead of a reset; the
 * connection is cut when the body has not ended within `lingerMs`.
 */
export function discardRest(request: IncomingMessage, lingerMs: number): void {
  if (request.complete) return
  const timer = setTimeout(() => request.socket.destroy(), lingerMs)
  const settle = (): void => clearTimeout(timer)
  request.once('end', settle).once('close', settle)
  request.resume()
}
