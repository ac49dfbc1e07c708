import type { ErrorCode } from '../../protocol/errors.ts'
import type { ChildErrorCode } from './messages.ts'

/** `name@version` as answers and records carry it. */
export type ModelLabel = string

/** What became of one picture. Stage times are ms; `queueMs` is all that was neither decoding nor running, transport included. */
export type Outcome =
  | {
      readonly ok: true
      readonly pred: number
      readonly confidence: number
      readonly model: ModelLabel
      readonly decodeMs: number
      readonly queueMs: number
      readonly runMs: number
    }
  | {
      readonly ok: false
      readonly code: ChildErrorCode | Extract<ErrorCode, 'OVERLOADED' | 'NOT_READY'>
      readonly msg: string
      /** The model that was asked; null when it came to none. */
      readonly model: ModelLabel | null
    }

/** The outcome of a request that came to no model; `msg` says what to do. */
export function refusal(code: 'OVERLOADED' | 'NOT_READY', msg: string): Outcome {
  return { ok: false, code, msg, model: null }
}

/** `name@version`. */
export function labelOf(model: { readonly name: string; readonly version: string }): ModelLabel {
  return `${model.name}@${model.version}`
}
