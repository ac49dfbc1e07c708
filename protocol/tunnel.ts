import { z } from 'zod'
import { SESSION_TOKEN } from './bus-subjects.ts'

/**
 * A tunnel: one ordered stream of bytes each way over messages of a bus that may lose, repeat or be slow. What is lost
 * is not sent again: it breaks the tunnel, and whoever uses it connects anew. Inside runs the same mutual TLS as on a
 * direct connection, so the bus can break a tunnel but neither read nor forge what is in it.
 */
export const TUNNEL_VERSION = 1
/** Payload bytes of one message at most. */
export const MAX_TUNNEL_CHUNK_BYTES = 32 * 1024
/** Bytes that may be under way in one direction: enough for 10 Mbit/s over 200 ms. */
export const TUNNEL_WINDOW_BYTES = 256 * 1024
/** A window under this could not carry a TLS record. */
export const MIN_TUNNEL_WINDOW_BYTES = 2 * MAX_TUNNEL_CHUNK_BYTES
/** A side that has sent nothing for so long says that it is there. */
export const TUNNEL_KEEPALIVE_MS = 10_000
/** Silence after which the other side is taken for gone: three of its keepalives. */
export const TUNNEL_SILENCE_MS = 30_000
const MAX_REASON_BYTES = 200
/** Type, sequence, acknowledged bytes. */
export const TUNNEL_HEADER_BYTES = 11
const MAX_SEQ = 0xffff_ffff
const MAX_ACKED_BYTES = 2 ** 48 - 1

const windowBytes = z
  .int()
  .min(MIN_TUNNEL_WINDOW_BYTES)
  .max(4 * 1024 * 1024)

/**
 * Request to open a tunnel, as JSON. `who` is the name on the bus of whoever asks; the certificate inside says who it
 * really is. @example {"v":1,"session":"q83vASNFZ4mrze8BI0VniQ","who":"mia","windowBytes":262144}
 */
export const tunnelOpenSchema = z.object({
  v: z.literal(TUNNEL_VERSION),
  session: z.string().regex(SESSION_TOKEN),
  who: z.string().regex(/^[A-Za-z0-9_=-]{1,253}$/),
  windowBytes,
})
/** @see tunnelOpenSchema */
export type TunnelOpen = z.infer<typeof tunnelOpenSchema>

/** The node's answer. @example {"ok":true,"windowBytes":262144} @example {"ok":false,"code":"OVERLOADED","msg":"as many tunnels as it takes are open"} */
export const tunnelAnswerSchema = z.union([
  z.object({ ok: z.literal(true), windowBytes }),
  z.object({ ok: z.literal(false), code: z.string().max(64), msg: z.string().max(500) }),
])
/** @see tunnelAnswerSchema */
export type TunnelAnswer = z.infer<typeof tunnelAnswerSchema>

/** Kinds of messages; the number is on the wire, with the version above it. */
const KINDS = { data: 0x11, ack: 0x12, end: 0x13, close: 0x14 } as const

/**
 * One message of a tunnel. `seq` counts data messages from 1; on the others it is the last one that was sent, so that
 * a lost end of a stream is noticed. `acked` counts the bytes that the sender's reader has taken since the beginning.
 */
export interface TunnelMessage {
  /** `data`; `ack` says only what is acknowledged or that somebody is there; `end` that nothing follows; `close` that it is over, and why. */
  readonly kind: keyof typeof KINDS
  readonly seq: number
  readonly acked: number
  /** Bytes of the stream, or for `close` the reason as UTF-8. */
  readonly payload: Uint8Array
}

const NOTHING = new Uint8Array(0)

/** Write a message. @throws RangeError for what does not fit a message, which no caller sends. */
export function encodeTunnelMessage({ kind, seq, acked, payload }: TunnelMessage): Buffer {
  if (seq > MAX_SEQ || acked > MAX_ACKED_BYTES || payload.length > MAX_TUNNEL_CHUNK_BYTES) {
    throw new RangeError('a message of a tunnel is too large')
  }
  const message = Buffer.allocUnsafe(TUNNEL_HEADER_BYTES + payload.length)
  message.writeUInt8(KINDS[kind], 0)
  message.writeUInt32BE(seq, 1)
  message.writeUIntBE(acked, 5, 6)
  message.set(payload, TUNNEL_HEADER_BYTES)
  return message
}

/** Read a message; null for what is none. The payload is a view of `bytes`. */
export function decodeTunnelMessage(bytes: Uint8Array): TunnelMessage | null {
  const sizeBytes = bytes.length - TUNNEL_HEADER_BYTES
  if (sizeBytes < 0 || sizeBytes > MAX_TUNNEL_CHUNK_BYTES) return null
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const kind = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((name) => KINDS[name] === buffer[0])
  if (kind === undefined) return null
  if (kind === 'data' ? sizeBytes === 0 : sizeBytes > (kind === 'close' ? MAX_REASON_BYTES : 0)) return null
  return {
    kind,
    seq: buffer.readUInt32BE(1),
    acked: buffer.readUIntBE(5, 6),
    payload: sizeBytes === 0 ? NOTHING : buffer.subarray(TUNNEL_HEADER_BYTES),
  }
}

/** A reason as the payload of a `close`. */
export function reasonPayload(reason: string): Uint8Array {
  return Buffer.from(reason).subarray(0, MAX_REASON_BYTES)
}
