import { errors, type Msg } from 'nats'
import { bucketStream } from '../../protocol/object-store.ts'
import type { CloudConnection } from './cloud-connection.ts'

/** How a bucket of a region is asked. */
export interface BucketDoor extends CloudConnection {
  readonly bucket: string
  /** Longest that an answer may take. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Which messages of a bucket are read. */
export interface BatchWish {
  /** Of these subjects, wildcards allowed. */
  readonly subject: string
  /** From this position of the stream on. */
  readonly seq: number
  /** At most so many. */
  readonly batch?: number
  /** About so many bytes of them. */
  readonly maxBytes?: number
}

const NO_RESPONDERS = 503
const MOST_AT_ONCE = 1000

/**
 * Messages of a bucket in their order, by a batched direct get (NATS ADR-31); none when there are none.
 * @throws Error with a sentence, when the bucket is not there or does not answer whole in time
 */
export async function readBatch(
  { subject, seq, batch = MOST_AT_ONCE, maxBytes }: BatchWish,
  { connection, apiPrefix, bucket, timeoutMs }: BucketDoor,
): Promise<readonly Msg[]> {
  const request = { seq, next_by_subj: subject, batch, ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }) }
  const call = `${apiPrefix}.DIRECT.GET.${bucketStream(bucket)}`
  const asked = async (): Promise<readonly Msg[] | null> => {
    const found: Msg[] = []
    // The last word of a batch, and that there is nothing, are empty messages.
    const answers = await connection.requestMany(call, JSON.stringify(request), {
      strategy: 'sentinel',
      maxWait: timeoutMs,
    })
    let isOver = false
    for await (const message of answers) {
      const code = message.headers?.code ?? 0
      if (code === NO_RESPONDERS) throw noBucket(bucket)
      if (code === 0) found.push(message)
      else isOver = true
    }
    return isOver ? found : null
  }
  const found = await answerOf(asked(), bucket)
  if (found === null) throw new Error(`the bucket ${bucket} does not answer`)
  return found
}

/** An answer of a bucket. @throws Error with a sentence where there is no such bucket; what the client says else */
export async function answerOf<T>(answer: Promise<T>, bucket: string): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const isAlone = error instanceof errors.RequestError && error.isNoResponders()
    if (isAlone || error instanceof errors.NoRespondersError) throw noBucket(bucket)
    throw error
  }
}

/** What a message holds as JSON; null where that is none. */
export function jsonOf(message: Msg): unknown {
  try {
    return message.json()
  } catch {
    return null
  }
}

function noBucket(bucket: string): Error {
  return new Error(`there is no bucket ${bucket}: edgedeck nats setup makes it`)
}
