import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { messageOf } from '../../protocol/errors.ts'
import { MAX_PACKAGE_FILE_BYTES } from '../../protocol/package.ts'
import { isPlainAway } from '../config/plain-uplinks.ts'
import { type BlobPiece, type BlobWish, type PackageSource, SourceFault } from './contract.ts'
import { LeastRate, type LeastRateBounds } from './least-rate.ts'

/** What is believed of a server and shown to it, PEM; null for the platform's authorities, and nothing. */
export interface SourceTls {
  readonly ca: string | null
  readonly own: { readonly cert: string; readonly key: string } | null
}

/** How an {@link HttpsSource} reaches its server. */
export interface HttpsSourceOptions {
  /** Of the folder that holds `packages/` and `blobs/`. */
  readonly url: string
  /** Asked before each connection; may throw. */
  readonly tls: () => SourceTls
  /** Whether plain HTTP may leave this machine (`upstream.insecure`). */
  readonly insecure: boolean
  /** A server that says nothing for so long is left. */
  readonly silenceMs?: number
  /** So is one that gives less than this while it is waited for. */
  readonly leastRate?: LeastRateBounds
}

const SILENCE_MS = 30_000
/** A server has it not and will not have it in a moment either. */
const MISSING: readonly number[] = [404, 410]

/**
 * Fetches from a folder that any web server serves: `packages/<digest>` and `blobs/<SHA-256>`. It goes on in the middle
 * where the server takes `Range` (RFC 9110 section 14), follows no redirect, and believes no length.
 */
export class HttpsSource implements PackageSource {
  readonly name: string
  readonly #base: URL
  readonly #options: HttpsSourceOptions
  readonly #agent: Agent

  constructor(options: HttpsSourceOptions) {
    this.#options = options
    this.#base = new URL(options.url.endsWith('/') ? options.url : `${options.url}/`)
    this.name = `${this.#base.protocol}//${this.#base.host}${this.#base.pathname}`
    const kept = { keepAlive: true, maxSockets: 1 }
    this.#agent = this.#base.protocol === 'https:' ? new SecureAgent(kept) : new Agent(kept)
  }

  async statement(digest: string, signal: AbortSignal): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let sizeBytes = 0
    const answer = await this.#get(`packages/${digest}`, 0, signal)
    if (answer.statusCode !== 200) throw this.#refusal(answer)
    for await (const data of this.#body(answer, signal)) {
      sizeBytes += data.length
      if (sizeBytes > MAX_PACKAGE_FILE_BYTES) throw this.#fault('wrong', `packages/${digest} is too large`)
      pieces.push(data)
    }
    return Buffer.concat(pieces)
  }

  async *read({ sha256, sizeBytes }: BlobWish, offset: number, signal: AbortSignal): AsyncGenerator<BlobPiece> {
    const answer = await this.#get(`blobs/${sha256}`, offset, signal)
    let at = this.#beginningOf(answer, offset, sizeBytes)
    for await (const data of this.#body(answer, signal)) {
      if (at + data.length > sizeBytes) throw this.#fault('wrong', `blobs/${sha256} is longer than ${sizeBytes} bytes`)
      yield { at, data }
      at += data.length
    }
    if (at < sizeBytes) throw this.#fault('away', `blobs/${sha256} ended after ${at} of ${sizeBytes} bytes`)
  }

  async close(): Promise<void> {
    this.#agent.destroy()
  }

  /** Where in the blob an answer begins. */
  #beginningOf(answer: IncomingMessage, offset: number, sizeBytes: number): number {
    const { statusCode, headers } = answer
    const told = Number(headers['content-length'] ?? Number.NaN)
    if (statusCode === 200) {
      // It does not do ranges, and sends all of it again.
      if (!Number.isNaN(told) && told !== sizeBytes) {
        answer.destroy()
        throw this.#fault('wrong', `it has ${told} bytes for a blob of ${sizeBytes}`)
      }
      return 0
    }
    if (statusCode !== 206) throw this.#refusal(answer)
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
    if (range === null || Number(range[1]) !== offset || (range[2] !== '*' && Number(range[2]) !== sizeBytes)) {
      answer.destroy()
      throw this.#fault('wrong', `it answers another range than from ${offset} of ${sizeBytes}`)
    }
    return offset
  }

  async #get(path: string, offset: number, signal: AbortSignal): Promise<IncomingMessage> {
    const { silenceMs = SILENCE_MS, insecure, tls } = this.#options
    if (!insecure && isPlainAway(this.#base.href)) {
      throw this.#fault('missing', 'it is spoken to in plain over a network, which upstream.insecure does not allow')
    }
    const url = new URL(path, this.#base)
    const headers = { 'Accept-Encoding': 'identity', ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }) }
    let outgoing: ClientRequest
    try {
      outgoing =
        url.protocol === 'https:'
          ? secureRequest(url, { headers, agent: this.#agent, signal, ...shownBy(tls()), minVersion: 'TLSv1.3' })
          : request(url, { headers, agent: this.#agent, signal })
    } catch (error) {
      throw this.#fault('away', messageOf(error), error)
    }
    const silence = setTimeout(() => outgoing.destroy(new Error(`no answer for ${silenceMs} ms`)), silenceMs)
    // What goes wrong after the answer began is told by its body.
    outgoing.on('error', () => {})
    try {
      const answered = once(outgoing, 'response')
      outgoing.end()
      const [answer] = (await answered) as [IncomingMessage]
      return answer
    } catch (error) {
      signal.throwIfAborted()
      throw this.#fault('away', messageOf(error), error)
    } finally {
      clearTimeout(silence)
    }
  }

  /** Pulled piece by piece: while nobody pulls, the connection fills up and the server waits. */
  async *#body(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { silenceMs = SILENCE_MS, leastRate } = this.#options
    const rate = new LeastRate(leastRate)
    const pieces = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    try {
      for (;;) {
        const silence = setTimeout(() => answer.destroy(new Error(`nothing came for ${silenceMs} ms`)), silenceMs)
        const askedAtMs = performance.now()
        const next = await pieces.next().finally(() => clearTimeout(silence))
        if (next.done === true) break
        const slow = rate.came(next.value.length, performance.now() - askedAtMs)
        yield next.value
        if (slow !== null) throw this.#fault('slow', slow)
      }
    } catch (error) {
      signal.throwIfAborted()
      throw error instanceof SourceFault ? error : this.#fault('away', messageOf(error), error)
    } finally {
      answer.destroy()
    }
    if (!answer.complete) throw this.#fault('away', 'the answer was cut off')
  }

  #refusal(answer: IncomingMessage): SourceFault {
    answer.destroy()
    const { statusCode = 0 } = answer
    return this.#fault(MISSING.includes(statusCode) ? 'missing' : 'away', `it answers ${statusCode}`)
  }

  #fault(kind: SourceFault['kind'], msg: string, cause?: unknown): SourceFault {
    return new SourceFault(kind, `${this.name}: ${msg}`, cause)
  }
}

function shownBy({ ca, own }: SourceTls): { ca?: string; cert?: string; key?: string } {
  return { ...(ca === null ? {} : { ca }), ...own }
}
