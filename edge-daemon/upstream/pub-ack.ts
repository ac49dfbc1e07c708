import { z } from 'zod'
import type { Delivery } from './wire.ts'

/** JetStream's answer to a publish (NATS JetStream API, `io.nats.jetstream.api.v1.pub_ack_response`). */
const pubAckSchema = z.object({
  stream: z.string().optional(),
  seq: z.int().optional(),
  domain: z.string().optional(),
  duplicate: z.boolean().optional(),
  /** Messages of an atomic batch; `seq` is that of the last. */
  count: z.int().optional(),
  error: z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() }).optional(),
})

/** Status of an answer that the server gives itself when nobody listens on a subject. */
export const NO_RESPONDERS = 503
/** JetStream error codes that a smaller message cures: over the stream's `max_msg_size`, over the account's payload. */
const TOO_LARGE: readonly number[] = [10_054]
/** The stream is full and keeps what it has (`discard: new`). */
const STREAM_FULL = 10_077
/** Another message is the last on the subject, or another stream took it: 10071 and 10164 (in a batch), 10060. */
const CONFLICT: readonly number[] = [10_071, 10_164, 10_060]

/** What to do while no stream holds a subject. */
export function noStreamMsg(subject: string): string {
  return `no stream holds ${subject}; create it: edgedeck nats setup --apply`
}

/**
 * What an answer says about a block. Held is only what names the stream and domain that it was meant for, and a sequence:
 * a `duplicate` was not stored (nats-server#6782), and a responder that is no stream acknowledges nothing.
 */
export function readPubAck(
  status: number | undefined,
  data: Uint8Array,
  to: {
    readonly subject: string
    readonly stream: { readonly name: string; readonly domain: string | null }
    /** Messages that were sent: the block, or the block and its mark. */
    readonly count: number
  },
): Delivery {
  const { subject, stream: expected } = to
  if (status === NO_RESPONDERS) return { outcome: 'again', msg: noStreamMsg(subject) }
  const ack = pubAckSchema.safeParse(parse(data))
  if (!ack.success) return { outcome: 'again', msg: `what answers on ${subject} is not a stream` }
  const { error, stream, seq, duplicate, domain = null, count = 1 } = ack.data
  if (error !== undefined) {
    const code = error.err_code ?? 0
    const msg = `the stream refused a block of ${subject}: ${error.description ?? `error ${error.err_code ?? error.code}`}`
    if (TOO_LARGE.includes(code)) return { outcome: 'too_large', msg }
    if (CONFLICT.includes(code)) return { outcome: 'conflict', msg }
    return { outcome: 'again', msg: code === STREAM_FULL ? `${msg}; give it room` : msg }
  }
  if (stream === undefined || seq === undefined || seq < 1 || duplicate === true) {
    return { outcome: 'again', msg: `the stream did not store a block of ${subject}` }
  }
  if (stream !== expected.name || domain !== expected.domain) {
    return { outcome: 'again', msg: `another stream answers on ${subject}: ${stream} instead of ${expected.name}` }
  }
  if (count !== to.count)
    return { outcome: 'again', msg: `the stream stored ${count} of ${to.count} messages of a batch` }
  return { outcome: 'held', position: seq - (count - 1), synced: false }
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    return null
  }
}
