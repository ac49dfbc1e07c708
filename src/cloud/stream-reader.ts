import { type Consumer, JetStreamApiError, type JsMsg, jetstream } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { AUDIT_STREAM } from '../../protocol/stream-config.ts'
import { type RecordClass, resendSubjectOf, subjectOf, UPSTREAM_CLASSES } from '../../protocol/subjects.ts'
import { type CloudAddress, withoutCredentials } from '../config/cloud-address.ts'
import { type CloudBlock, decodeBlock } from './block.ts'
import { type CloudConnection, openCloud } from './cloud-connection.ts'

/** Which blocks to read. Times are Unix ms, both ends included. */
export interface StreamQuery {
  /** The node as it calls itself. */
  readonly node: string
  /** Null = whatever site it is of. */
  readonly site: string | null
  readonly classes: readonly RecordClass[]
  /** 0 = from the beginning of the stream. */
  readonly fromMs: number
  readonly toMs: number
  /** How far the clocks of node and servers may be apart, ms: so much more of the stream is read on either side. */
  readonly marginMs?: number
}

/** A block, or a message that is none and why; `msg` quotes nothing of the message. */
export type StreamItem =
  | { readonly kind: 'block'; readonly block: CloudBlock }
  | { readonly kind: 'unreadable'; readonly subject: string; readonly position: number; readonly msg: string }

/** What a clock may be wrong by before something is overlooked. */
export const CLOCK_MARGIN_MS = 2 * 3_600_000
const TIMEOUT_MS = 5000
/** Tries of a client to come back, four a second. */
const RECONNECTS = 20
/** Messages asked for at a time. */
const BATCH = 64
/** Times in a row that a read is begun again without getting on, before the region is given up. */
const MAX_STALLS = 5
const RETRY_MS = 500
/** JetStream: the filter matches no subject of the stream, so the stream holds nothing of it. */
const NO_SUCH_SUBJECT = 10_093

/** JetStream: there is no such stream. */
const NO_STREAM = 10_059

/** A subject and the stream that holds it. */
export interface StreamSource {
  readonly subject: string
  readonly stream: string
}

type Start = { readonly opt_start_seq: number } | { readonly opt_start_time: string }

/**
 * Reads the blocks of a node from a region's stream, through consumers that are removed when they are done. What is read
 * is bounded: by the subjects, from a time on, up to what the stream held when the read began, and a live subject is
 * left as soon as its blocks are behind the range.
 */
export class StreamReader {
  readonly address: CloudAddress
  readonly #connection: NatsConnection
  readonly #apiPrefix: string
  readonly #timeoutMs: number

  private constructor(address: CloudAddress, { connection, apiPrefix }: CloudConnection, timeoutMs: number) {
    this.address = address
    this.#connection = connection
    this.#apiPrefix = apiPrefix
    this.#timeoutMs = timeoutMs
  }

  /**
   * Connect to a region; `timeoutMs` is for connecting and for each answer.
   * @throws EdgeError `CLOUD_UNREACHABLE`
   */
  static async open(address: CloudAddress, timeoutMs = TIMEOUT_MS): Promise<StreamReader> {
    try {
      return new StreamReader(address, await openCloud(address, { timeoutMs, reconnects: RECONNECTS }), timeoutMs)
    } catch (cause) {
      throw unreachable(address, cause)
    }
  }

  /** End the connection. */
  async close(): Promise<void> {
    await this.#connection.close()
  }

  /**
   * Read blocks: each live subject in the order of the stream, then what was sent again. Blocks that stand just beside
   * the range come too, so that chains can be followed to its ends. Ends early without a word when the signal comes.
   * @throws EdgeError `CLOUD_UNREACHABLE` when the region does not answer any more, or has no such stream
   */
  async *read(query: StreamQuery, signal: AbortSignal): AsyncGenerator<StreamItem> {
    const { fromMs, toMs, marginMs = CLOCK_MARGIN_MS } = query
    for (const { subject, stream = this.address.stream, leaving } of subjectsOf(query)) {
      try {
        for await (const message of this.messages({ subject, stream }, fromMs - marginMs, signal)) {
          const item = await this.#open(message)
          yield item
          if (leaving && item.kind === 'block' && isBehind(item.block, toMs, marginMs)) break
        }
      } catch (cause) {
        // A fleet may keep no audit in the cloud: then it holds nothing of it.
        if (stream === AUDIT_STREAM && isNoStream(cause)) continue
        throw unreachable({ ...this.address, stream }, cause)
      }
      if (signal.aborted) return
    }
  }

  /** The messages that a subject holds from a time on, in order; goes on where it was after a lost connection. */
  async *messages(source: StreamSource, fromMs: number, signal: AbortSignal): AsyncGenerator<JsMsg> {
    const place = { position: 0 }
    for (let failures = 0; ; ) {
      const before = place.position
      const start = before > 0 ? { opt_start_seq: before + 1 } : startAt(fromMs)
      try {
        yield* this.#stretch(source, start, place, signal)
        return
      } catch (error) {
        failures = place.position > before ? 1 : failures + 1
        // Only what went well before is tried again: a first answer tells what is wrong at once.
        if (place.position === 0 || failures > MAX_STALLS) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Read with one consumer to the end of what the stream held when it began; `place` follows. Throws when it is lost. */
  async *#stretch(
    source: StreamSource,
    start: Start,
    place: { position: number },
    signal: AbortSignal,
  ): AsyncGenerator<JsMsg> {
    const consumer = await this.#consumer(source, start)
    if (consumer === null) return
    try {
      let pending = (await consumer.info(true)).num_pending
      while (pending > 0) {
        let came = false
        const batch = await consumer.fetch({ max_messages: Math.min(BATCH, pending), expires: this.#timeoutMs })
        for await (const message of batch) {
          came = true
          pending = message.info.pending
          place.position = message.seq
          yield message
          if (signal.aborted) return
        }
        // The connection was lost, or the stream was purged meanwhile.
        if (!came) throw new Error('it stopped sending')
      }
    } finally {
      // The server forgets it by itself where this does not arrive.
      await consumer.delete().catch(() => undefined)
    }
  }

  /** A consumer that lives as long as this read; null when the stream takes no such subject. */
  async #consumer({ subject, stream }: StreamSource, start: Start): Promise<Consumer | null> {
    try {
      const options = { timeout: this.#timeoutMs, apiPrefix: this.#apiPrefix }
      return await jetstream(this.#connection, options).consumers.get(stream, {
        // As text and not as a list: then it is a part of the request's subject, which permissions look at.
        filter_subjects: subject,
        inactive_threshold: 30_000,
        ...start,
      })
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_SUCH_SUBJECT) return null
      throw error
    }
  }

  async #open(message: JsMsg): Promise<StreamItem> {
    const { subject, seq: position, data: body, headers } = message
    const decoded = await decodeBlock({
      region: this.address.name,
      subject,
      position,
      heldAtMs: Number(message.timestampNanos / 1_000_000n),
      header: (name) => headers?.get(name) ?? null,
      body,
    })
    return decoded.ok
      ? { kind: 'block', block: decoded.block }
      : { kind: 'unreadable', subject, position, msg: decoded.msg }
  }
}

/**
 * Live subjects first, then those of blocks that were sent again. A live subject is in the order of the node's clock and
 * can be left behind the range, but not the ledger: it tells later what became of earlier records.
 */
function subjectsOf({ site, node, classes }: StreamQuery): { subject: string; stream?: string; leaving: boolean }[] {
  // A token never holds an asterisk, so the subject of a stand-in can be opened up to every site.
  const origin = { site: site ?? 'any', node }
  const opened = (subject: string): string => (site === null ? subject.replace('edge.any.', 'edge.*.') : subject)
  const live = UPSTREAM_CLASSES.filter((recordClass) => classes.includes(recordClass))
  return [
    ...live.map((recordClass) => ({
      subject: opened(subjectOf(origin, recordClass)),
      leaving: recordClass !== 'ledger',
      ...(recordClass === 'audit' ? { stream: AUDIT_STREAM } : {}),
    })),
    ...classes.map((recordClass) => ({ subject: opened(resendSubjectOf(origin, recordClass)), leaving: false })),
  ]
}

/** Whether a server says that there is no such stream. */
export function isNoStream(cause: unknown): boolean {
  return cause instanceof JetStreamApiError && cause.code === NO_STREAM
}

function startAt(ms: number): Start {
  return ms <= 0 ? { opt_start_seq: 1 } : { opt_start_time: new Date(ms).toISOString() }
}

/**
 * Whether a block is behind a range for certain. One from a future that the server did not know either is from a clock
 * that was wrong for a while: what comes after it may be in the range.
 */
function isBehind(block: CloudBlock, toMs: number, marginMs: number): boolean {
  const fromMs = oldest(block)
  return fromMs > toMs + marginMs && fromMs <= block.heldAtMs + marginMs
}

function oldest({ records }: CloudBlock): number {
  return records.reduce((least, { timestamp }) => Math.min(least, timestamp), Number.POSITIVE_INFINITY)
}

function unreachable(address: CloudAddress, cause: unknown): EdgeError {
  const servers = address.servers.map(withoutCredentials).join(', ')
  const noStream = cause instanceof JetStreamApiError
  return new EdgeError('CLOUD_UNREACHABLE', {
    message: `${address.name} (${servers}): ${noStream ? `stream ${address.stream}: ` : ''}${messageOf(cause)}`,
    next: noStream
      ? ['name the stream under clouds in the configuration', 'or make it: edgedeck nats setup --apply']
      : [
          'look whether the servers run and can be reached from here',
          'correct clouds in the configuration, or --cloud',
        ],
    cause,
  })
}
