import { messageOf } from '../../protocol/errors.ts'
import { WrongNodeError } from './client-tls.ts'

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name service does not answer',
  ETIMEDOUT: 'no answer to the connection attempt',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EACCES: 'this machine forbids the connection',
  EMFILE: 'this machine has no more file handles: raise `ulimit -n`',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed, and not from this fleet',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not from this fleet',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is not from this fleet',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not from this fleet',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not from this fleet',
  INVALID_PURPOSE: 'its certificate is not that of a node',
  CERT_HAS_EXPIRED: 'its certificate has ended, or the clock of this machine is ahead',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: the clock of this machine is behind, or was when it was made',
  HPE_INVALID_CONSTANT: 'it does not speak plain ws://: a node that has joined a fleet is reached by wss://',
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'it sent a frame over the size limit',
}

/** Why no session came or why it broke, for an operator. */
export function reasonOfError(error: unknown): string {
  const inner = error instanceof AggregateError ? (error.errors[0] ?? error) : error
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : ''
  const known = BY_CODE[code]
  if (known !== undefined) return known
  const message = messageOf(inner)
  if (inner instanceof WrongNodeError) return message
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return reasonOfTls(message)
  if (/handshake has timed out/i.test(message)) return 'it took the connection, but did not answer'
  if (/subprotocol/i.test(message))
    return 'it answers WebSocket, but does not speak edgedeck: check the address and path'
  return code.startsWith('WS_ERR') || message === '' ? `it broke WebSocket: ${message}` : message
}

/** OpenSSL has one code for all of it, and tells it in words. */
function reasonOfTls(message: string): string {
  if (/wrong version number|packet length too long/i.test(message)) {
    return 'no TLS is spoken there: the node has not joined the fleet, or another program listens'
  }
  if (/protocol version|unsupported protocol/i.test(message)) return 'it speaks an older TLS than 1.3'
  return `TLS failed: ${/routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message}`
}

/** Why a server that answered HTTP gave no WebSocket; `said` is its own word for it. */
export function reasonOfResponse(status: number, said: string | null = null): string {
  if (status === 403 && said !== null) return `it refused us: ${said}`
  if (status === 401 || status === 403) return `it refused us (HTTP ${status})`
  if (status === 404) return 'there is no live feed on this path (HTTP 404): the path is usually /live'
  if (status === 503) return 'it takes no more sessions now (HTTP 503)'
  return `it answers HTTP ${status}, not a live feed`
}

/** Why a session was closed by the node. */
export function reasonOfClose(code: number, text: string): string {
  if (text !== '') return `closed by the node: ${text}`
  if (code === 1006) return 'the connection was lost'
  return code === 1000 || code === 1001 ? 'closed by the node' : `closed by the node (${code})`
}
