import type { EnrolmentError } from '../../protocol/enrolment.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

/** What became of a request: what is answered, or why not. */
export type Outcome<T> = { readonly ok: true; readonly body: T } | { readonly ok: false; readonly refusal: Refusal }

/** Why a request is refused; only the kind of it is counted. */
export interface Refusal extends EnrolmentError {
  readonly code: ErrorCode
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  REQUEST_MALFORMED: 400,
  REQUEST_TOO_LARGE: 413,
  NAME_TAKEN: 409,
  RATE_LIMITED: 429,
  CONTROLLER_FAILING: 503,
}

/** HTTP status of a refusal. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 403
}

/** A refusal in words for whoever asked: what happened, and what to do now. */
export function refuse(code: ErrorCode, message: string, ...next: readonly string[]): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, message: message.slice(0, 500), next: next.map((line) => line.slice(0, 300)) } }
}
