import type { IncomingHttpHeaders } from 'node:http'
import { BLOCK_HEADERS } from '../../protocol/subjects.ts'
import { type Block, type BlockEncoding, encodingsIn } from './block.ts'
import { type AnswerSource, type HttpAnswer, HttpLink, type HttpLinkOptions } from './http-link.ts'
import type { Delivery, HeldBlock, Holding, LaneSubject, Wire, WireState } from './wire.ts'

/** Statuses of a receiver, or of what stands before it, that cannot tell now. */
const NOT_NOW: readonly number[] = [408, 425, 429, 500, 502, 503, 504, 507]
const NOT_LET_IN: readonly number[] = [401, 403, 407]
const CONFLICT = 409
const TOO_LARGE = 413
const UNSUPPORTED = 415

/**
 * Blocks over HTTP and HTTPS with compare-and-store; docs/http-receiver.md is the receiver's side of it. Each block is
 * one `POST` to the configured URL that names the block before it, and `HEAD` with a subject and an epoch asks what is
 * held last.
 *
 * Held is what a receiver with an id (`Edge-Receiver`) names as held in a complete 2xx answer; 409 means that it holds
 * something else last. A plain receiver names nothing: then any 2xx counts, at least once. 413: too large, and is split.
 * Everything else is tried again, not before `Retry-After` (seconds): a wrong path or credential is for the operator to
 * mend, not a reason to drop records.
 */
export class HttpWire implements Wire {
  readonly kind = 'http'
  readonly #link: HttpLink
  readonly #url: URL
  #receiver: string | null = null
  /** The receiver and its start, as the last answer of one that names itself said; null before the first. */
  #startId: string | null = null
  #guarded: boolean | null = null
  #encodings: readonly BlockEncoding[] = []
  #maxBodyBytes: number | null = null

  constructor(options: HttpLinkOptions) {
    this.#link = new HttpLink(options)
    this.#url = new URL(options.url)
  }

  get state(): WireState {
    return this.#link.state
  }

  get error(): string | null {
    return this.#link.error
  }

  get rttMs(): number | null {
    return this.#link.rttMs
  }

  get maxBodyBytes(): number | null {
    return this.#maxBodyBytes
  }

  get guarded(): boolean | null {
    return this.#guarded
  }

  get encodings(): readonly BlockEncoding[] {
    return this.#encodings
  }

  start(onChange: () => void): void {
    this.#link.start(onChange, (headers) => this.#learn(headers))
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  sentBytes(): Record<string, number> {
    return this.#link.sentBytes()
  }

  async holding({ subject, epoch, resend }: LaneSubject): Promise<Holding> {
    const answer = await this.#link.exchange({
      method: 'HEAD',
      recordClass: null,
      headers: {
        [BLOCK_HEADERS.subject]: subject,
        [BLOCK_HEADERS.epoch]: epoch,
        ...(resend === undefined ? {} : { [BLOCK_HEADERS.resend]: resend }),
      },
    })
    if (answer.status === null) return { outcome: 'unknown', msg: answer.msg }
    const isGood = answer.status >= 200 && answer.status < 300
    const receiver = textOf(answer.headers, BLOCK_HEADERS.receiver)
    if (receiver !== null && isGood) {
      this.#receiver = receiver
      this.#guarded = true
      return holdingIn(answer.headers, { epoch, resend }, receiver)
    }
    // A proxy's refusal says nothing of the receiver behind it, and must not make it a plain one.
    if (receiver !== null || NOT_NOW.includes(answer.status) || NOT_LET_IN.includes(answer.status)) {
      return { outcome: 'unknown', ...refusalOf(answer) }
    }
    this.#receiver = null
    this.#guarded = false
    return { outcome: 'untold', archive: `plain ${this.#url.host}${this.#url.pathname}` }
  }

  async send(block: Block): Promise<Delivery> {
    const answer = await this.#link.exchange({
      method: 'POST',
      recordClass: block.recordClass,
      headers: { ...block.headers, 'Content-Length': block.body.length, [BLOCK_HEADERS.subject]: block.subject },
      body: block.body,
    })
    if (answer.status === null) return { outcome: 'again', msg: answer.msg }
    const { status, headers } = answer
    if (status >= 200 && status < 300) return this.#accepted(block, headers)
    const refusal = refusalOf(answer)
    if (status === TOO_LARGE) return { outcome: 'too_large', msg: refusal.msg }
    if (status === CONFLICT && textOf(headers, BLOCK_HEADERS.receiver) !== null)
      return { outcome: 'conflict', msg: refusal.msg }
    return { outcome: 'again', ...refusal }
  }

  /** What a 2xx says: of a receiver that names what it holds, only the name of this very block is an acknowledgement. */
  #accepted(block: Block, headers: IncomingHttpHeaders): Delivery {
    const receiver = textOf(headers, BLOCK_HEADERS.receiver)
    if (receiver === null && this.#guarded !== true) return { outcome: 'held', position: 0, synced: false }
    if (this.#guarded === true && receiver !== this.#receiver) {
      return { outcome: 'conflict', msg: 'another receiver answers there now' }
    }
    const held = heldIn(headers, block.epoch)
    const isThis = held?.lastSeq === block.lastSeq && held.digest === block.digest
    return isThis
      ? { outcome: 'held', position: 0, synced: true }
      : { outcome: 'conflict', msg: 'the receiver took a block and names another as the last it holds' }
  }

  /** Which start of which receiver answers, and what it takes. */
  #learn(headers: IncomingHttpHeaders): AnswerSource {
    const encodings = textOf(headers, 'Accept-Encoding')
    if (encodings !== null) this.#encodings = encodingsIn(encodings)
    this.#maxBodyBytes = countOf(headers, BLOCK_HEADERS.maxBody) ?? this.#maxBodyBytes
    const receiver = textOf(headers, BLOCK_HEADERS.receiver)
    // A proxy's own answer names none.
    if (receiver === null) return 'known'
    const was = this.#startId
    this.#startId = `${receiver} ${textOf(headers, BLOCK_HEADERS.receiverStart) ?? ''}`
    return was === null || was === this.#startId ? 'known' : 'restarted'
  }
}

function holdingIn(
  headers: IncomingHttpHeaders,
  { epoch, resend }: { epoch: string; resend: string | undefined },
  archive: string,
): Holding {
  const held = heldIn(headers, epoch)
  if (held !== null) {
    // What was asked about is the chain of that request alone.
    const block = resend === undefined ? held : { ...held, resend }
    return { outcome: 'holds', block, archive, after: 0, expired: textOf(headers, BLOCK_HEADERS.heldExpired) === '1' }
  }
  const heldEpoch = textOf(headers, BLOCK_HEADERS.heldEpoch)
  return {
    outcome: 'nothing',
    archive,
    after: 0,
    lastPosition: null,
    foreignEpoch: heldEpoch === epoch ? null : heldEpoch,
    // Its account of what it holds by epoch outlives the blocks; that is part of its contract.
    keepsMarks: true,
  }
}

/** The block that an answer names as held; null when it names none. */
function heldIn(headers: IncomingHttpHeaders, epoch: string): HeldBlock | null {
  const firstSeq = countOf(headers, BLOCK_HEADERS.heldFirstSeq)
  const lastSeq = countOf(headers, BLOCK_HEADERS.heldLastSeq)
  const digest = textOf(headers, BLOCK_HEADERS.heldDigest)
  if (firstSeq === null || lastSeq === null || digest === null || !/^[0-9a-f]{64}$/.test(digest)) return null
  return { epoch, firstSeq, lastSeq, digest, position: 0 }
}

function refusalOf(answer: HttpAnswer & { readonly status: number }): { msg: string; retryAfterMs?: number } {
  const retryAfterSec = countOf(answer.headers, 'Retry-After')
  const msg = `the receiver answered ${answer.status}${hintOf(answer.status)}`
  return retryAfterSec === null ? { msg } : { msg, retryAfterMs: retryAfterSec * 1000 }
}

function textOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name.toLowerCase()]
  return typeof value === 'string' && value !== '' && value.length <= 256 ? value : null
}

function countOf(headers: IncomingHttpHeaders, name: string): number | null {
  const value = textOf(headers, name)
  return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null
}

function hintOf(status: number): string {
  if (status >= 300 && status < 400) return '; redirects are not followed, configure the final address'
  if (NOT_LET_IN.includes(status)) return '; it does not let this node in'
  if (status === UNSUPPORTED) return '; see upstream.encoding'
  return status === 404 || status === 405 ? '; see that upstream.http.url takes POST' : ''
}
