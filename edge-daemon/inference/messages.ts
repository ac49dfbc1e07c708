import type { ErrorCode } from '../../protocol/errors.ts'
import type { ServedModel } from '../models/models.ts'

/** Kinds of frames between the daemon and a model child; both are always of the same build. */
export const KIND = {
  /** daemon → child, JSON {@link StartMessage}; once, first. */
  start: 1,
  /** daemon → child, a compressed picture as it came; the id names the request. */
  infer: 2,
  /** daemon → child, JSON {@link FaultMessage}. */
  fault: 3,
  /** child → daemon, empty: the model is loaded and has passed its self-test. */
  ready: 4,
  /** child → daemon, JSON {@link ChildAnswer}[]: whatever was finished together. */
  answers: 5,
  /** child → daemon, JSON {@link StartFailure}; the child exits after it. */
  startFailed: 6,
} as const

/** Largest payload of everything but a picture. */
export const MAX_CONTROL_BYTES = 1024 * 1024

/** What a child needs to serve a model. */
export interface StartMessage {
  readonly model: ServedModel
  readonly batchMax: number
  /** Most pixels a picture may have. */
  readonly pixelLimit: number
  readonly slowMs: number
}

/** Declared faults. */
export interface FaultMessage {
  /** Waited before each run of the model. */
  readonly slowMs: number
}

/** Why a child could not start. */
export interface StartFailure {
  readonly msg: string
}

/** Why the child gave no prediction. */
export type ChildErrorCode = Extract<ErrorCode, 'PICTURE_UNDECODABLE' | 'PICTURE_TOO_LARGE' | 'MODEL_FAILED'>

/** `[id, pred, confidence, decodeMs, runMs]`, or `[id, code, msg]`: tuples, since there are thousands a second. */
export type ChildAnswer =
  | readonly [id: number, pred: number, confidence: number, decodeMs: number, runMs: number]
  | readonly [id: number, code: ChildErrorCode, msg: string]

/** Payload of a JSON message. */
export function encodeJson(message: StartMessage | FaultMessage | StartFailure | readonly ChildAnswer[]): Buffer {
  return Buffer.from(JSON.stringify(message))
}
