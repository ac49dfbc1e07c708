import { z } from 'zod'
import { streamSubjects } from '../../protocol/subjects.ts'
import type { Delivery } from './wire.ts'

/** JetStream's answer to a publish (NATS JetStream API, `io.nats.jetstream.api.v1.pub_ack_response`). */
const pubAckSchema = z.object({
  stream: z.string().optional(),
  seq: z.int().optional(),
  duplicate: z.boolean().optional(),
  error: z.object({ code: z.int(), err_code: z.int().optional(), description: z.string().optional() }).optional(),
})

/** Status of an answer that the server gives itself when nobody listens on a subject. */
const NO_RESPONDERS = 503
/** JetStream error codes that a smaller message cures: over the stream's `max_msg_size`, over the account's payload. */
const TOO_LARGE: readonly number[] = [10_054]
/** The stream is full and keeps what it has (`discard: new`). */
const STREAM_FULL = 10_077

/**
 * What an answer says about a block. Held is only what names its stream and sequence: a `duplicate` was not stored
 * (nats-server#6782), and a responder that is no stream acknowledges nothing.
 */
export function readPubAck(status: number | undefined, data: Uint8Array, subject: string): Delivery {
  if (status === NO_RESPONDERS) {
    return {
      outcome: 'again',
      msg: `no stream holds ${subject}; create it: nats stream add EDGE --subjects "${streamSubjects().join(',')}"`,
    }
  }
  const ack = pubAckSchema.safeParse(parse(data))
  if (!ack.success) return { outcome: 'again', msg: `what answers on ${subject} is not a stream` }
  const { error, stream, seq, duplicate } = ack.data
  if (error !== undefined) {
    const msg = `the stream refused a block of ${subject}: ${error.description ?? `error ${error.err_code ?? error.code}`}`
    if (TOO_LARGE.includes(error.err_code ?? 0)) return { outcome: 'too_large', msg }
    return { outcome: 'again', msg: error.err_code === STREAM_FULL ? `${msg}; give it room` : msg }
  }
  if (stream === undefined || seq === undefined || seq < 1 || duplicate === true) {
    return { outcome: 'again', msg: `the stream did not store a block of ${subject}` }
  }
  return { outcome: 'held' }
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    return null
  }
}
