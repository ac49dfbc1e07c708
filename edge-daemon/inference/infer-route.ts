import type { IncomingMessage, ServerResponse } from 'node:http'
import { type MemoryBudget, readBody } from './body.ts'
import type { InferenceService } from './inference-service.ts'
import type { Keep, Kept, NewResult } from './keep.ts'
import type { AnswerKind, InferenceMeters } from './meters.ts'
import type { Outcome } from './outcome.ts'
import { pictureOf, wrongContent } from './picture-request.ts'
import { discardRest, replyJson } from './replies.ts'

/** What the route needs. */
export interface InferRouteOptions {
  readonly nodeName: string
  readonly service: Pick<InferenceService, 'infer'>
  readonly keep: Keep
  readonly meters: InferenceMeters
  /** Hears of each answer that a model gave or failed to give, when it is on its way; must be quick and not throw. */
  readonly onAnswered?: ((picture: Uint8Array, outcome: Outcome) => void) | undefined
  readonly bodyLimitBytes: number
  readonly budget: MemoryBudget
  /** How long the rest of a refused body may take. */
  readonly lingerMs: number
  /** Unix ms. */
  readonly now: () => number
}

/** HTTP status of each failure. */
const STATUS_OF = {
  PICTURE_UNDECODABLE: 422,
  PICTURE_TOO_LARGE: 413,
  MODEL_FAILED: 500,
  OVERLOADED: 503,
  NOT_READY: 503,
} as const

/**
 * `POST /infer` (requirement I1): a picture in, the model's answer out, its record committed before. What the model was
 * asked or a decoder tried (200, 422, 500) is kept; what was refused before that is only counted, so that a flood costs
 * no disk: 4xx as malformed, also a picture with too many pixels (its head refuses it), and 503 as failed.
 */
export class InferRoute {
  readonly #options: InferRouteOptions

  constructor(options: InferRouteOptions) {
    this.#options = options
  }

  /** Answer one request. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { meters, budget, bodyLimitBytes, service } = this.#options
    const startedAtMs = performance.now()
    const wrong = wrongContent(request.headers)
    if (wrong !== null) {
      request.on('data', (chunk: Buffer) => meters.received(chunk.length))
      return this.#refuse(request, response, wrong.status, wrong.msg)
    }
    const read = await readBody(request, { limitBytes: bodyLimitBytes, budget, onBytes: (n) => meters.received(n) })
    if (!read.ok) {
      if (read.why === 'aborted') return
      return read.why === 'too_large'
        ? this.#refuse(
            request,
            response,
            413,
            `the body is over ${bodyLimitBytes} bytes; send a smaller picture (inference.bodyLimit)`,
          )
        : this.#refuse(
            request,
            response,
            503,
            'the bodies that are being received fill the memory set aside for them; try again',
          )
    }
    const bytes = read.body.length
    const picked = pictureOf(request.headers['content-type'], read.body)
    if (!picked.ok) {
      budget.give(bytes)
      return this.#refuse(request, response, picked.status, picked.msg)
    }
    const { picture } = picked
    const outcome = await service.infer(picture)
    if (!outcome.ok && (outcome.code === 'PICTURE_TOO_LARGE' || STATUS_OF[outcome.code] === 503)) {
      budget.give(bytes)
      return this.#refuse(request, response, STATUS_OF[outcome.code], outcome.msg)
    }
    await this.#keepAndReply(response, { outcome, picture, bytes, startedAtMs })
    budget.give(bytes)
  }

  /** A request that is only counted. */
  #refuse(request: IncomingMessage, response: ServerResponse, status: number, msg: string): void {
    const { nodeName, now, meters, lingerMs } = this.#options
    meters.answered(status >= 500 ? 'failed' : 'malformed')
    replyJson(response, status, { code: status, msg, node_id: nodeName, timestamp: now() })
    discardRest(request, lingerMs)
  }

  async #keepAndReply(
    response: ServerResponse,
    { outcome, picture, bytes, startedAtMs }: { outcome: Outcome; picture: Buffer; bytes: number; startedAtMs: number },
  ): Promise<void> {
    const { nodeName, now, meters } = this.#options
    const timestamp = now()
    const committingAtMs = performance.now()
    const totalMs = Math.round((committingAtMs - startedAtMs) * 1000) / 1000
    const result = resultOf(outcome, { timestamp, bytes, totalMs })
    const kept = await this.#keep(result, picture)
    meters.took('commit', performance.now() - committingAtMs)
    if (!kept.stored) meters.notStored()
    if (kept.overRate === true) meters.overRate()
    const place = kept.stored ? { epoch: kept.epoch, seq: kept.seq, stored: true } : UNSTORED
    const origin = { node_id: nodeName, timestamp }
    const { code } = result
    if (outcome.ok) {
      const { pred, confidence, model } = outcome
      replyJson(response, code, { code, pred, confidence, ...origin, ...place, model })
      meters.took('decode', outcome.decodeMs)
      meters.took('queue', outcome.queueMs)
      meters.took('run', outcome.runMs)
    } else {
      replyJson(response, code, { code, msg: outcome.msg, ...origin, ...place })
    }
    meters.took('total', performance.now() - startedAtMs)
    meters.answered(kindOf(outcome, kept))
    this.#options.onAnswered?.(picture, outcome)
  }

  async #keep(result: NewResult, picture: Buffer): Promise<Kept> {
    try {
      return await this.#options.keep(result, picture)
    } catch {
      // A store that breaks its promise must not take the answer with it; it shows as not stored.
      return { stored: false }
    }
  }
}

const UNSTORED = { epoch: null, seq: null, stored: false } as const

function resultOf(outcome: Outcome, made: { timestamp: number; bytes: number; totalMs: number }): NewResult {
  const envelope = { timestamp: made.timestamp, model: outcome.model, total_ms: made.totalMs, bytes: made.bytes }
  return outcome.ok
    ? { ...envelope, code: 200, pred: outcome.pred, confidence: outcome.confidence }
    : { ...envelope, code: STATUS_OF[outcome.code], pred: null, confidence: null, msg: outcome.msg }
}

function kindOf(outcome: Outcome, kept: Kept): AnswerKind {
  if (outcome.ok) return kept.reason === undefined ? 'ok' : 'abnormal'
  return outcome.code === 'PICTURE_UNDECODABLE' ? 'undecodable' : 'failed'
}
