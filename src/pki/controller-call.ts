import { X509Certificate } from 'node:crypto'
import { type RequestOptions, request } from 'node:https'
import type { ZodType } from 'zod'
import { titleOf } from '../../identity/names.ts'
import { namedBy, type Trust } from '../../identity/verify.ts'
import { enrolmentErrorSchema, MAX_ANSWER_BYTES } from '../../protocol/enrolment.ts'
import { EdgeError, ERROR_CODES, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** One question to a controller. */
export interface ControllerCall<Answer> {
  /** `https://host:5444`. */
  readonly controller: string
  readonly path: string
  /** JSON of a POST; absent for a GET. */
  readonly body?: unknown
  readonly answer: ZodType<Answer>
  /** Whom to believe. Null believes anybody: only for what is signed by itself. */
  readonly trust: (Pick<Trust, 'fleet' | 'revoked'> & { readonly ca: string }) | null
  /** Certificate and key to show, PEM; absent = none. */
  readonly own?: { readonly cert: string; readonly key: string }
  /** What a 304 says; absent where there is none. */
  readonly unchanged?: Answer
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Codes of TLS when a certificate leads to no root that is believed. */
const UNTRUSTED: readonly string[] = [
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'UNABLE_TO_GET_ISSUER_CERT',
]

/** The controller is not below the roots that are believed: they may have been changed. */
export class UntrustedController extends Error {}

/**
 * Ask a controller. Which machine answers is told by its certificate, which has to name a controller of the fleet, and not
 * by its address.
 * @throws EdgeError `CONTROLLER_UNREACHABLE`, or the code that the controller answers with
 * @throws UntrustedController
 */
export async function callController<Answer>(call: ControllerCall<Answer>): Promise<Answer> {
  const { controller, answer } = call
  const { status, text } = await exchange(call).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof EdgeError) throw error
    if (UNTRUSTED.includes(error.code ?? '')) throw new UntrustedController(messageOf(error), { cause: error })
    throw unreachable(controller, messageOf(error), error)
  })
  if (status === 304 && call.unchanged !== undefined) return call.unchanged
  const value = jsonOf(text)
  const parsed = answer.safeParse(value)
  if (status === 200 && parsed.success) return parsed.data
  const refusal = enrolmentErrorSchema.safeParse(value)
  if (status === 200 || !refusal.success)
    throw unreachable(controller, `what answers there (HTTP ${status}) is no controller`)
  const { code, message, next } = refusal.data
  throw new EdgeError(isCode(code) ? code : 'CONTROLLER_FAILING', {
    message: untrusted(message),
    next: next.map((cure) => untrusted(cure)),
  })
}

function exchange<Answer>({ controller, path, body, trust, own, timeoutMs, signal }: ControllerCall<Answer>): Promise<{
  readonly status: number
  readonly text: string
}> {
  const sent = body === undefined ? null : JSON.stringify(body)
  const options: RequestOptions = {
    method: sent === null ? 'GET' : 'POST',
    headers: sent === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) },
    minVersion: 'TLSv1.3',
    agent: false,
    ...(own === undefined ? {} : { cert: own.cert, key: own.key }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    ...(trust === null
      ? { rejectUnauthorized: false }
      : {
          ca: trust.ca,
          checkServerIdentity: (_host, { raw }) => strangerAt(controller, new X509Certificate(raw), trust),
        }),
  }
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, controller), options, (response) => {
      const parts: Buffer[] = []
      let bytes = 0
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > MAX_ANSWER_BYTES) asked.destroy(unreachable(controller, 'its answer never ends'))
        else parts.push(part)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      )
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(sent ?? undefined)
  })
}

/** Why whoever shows this certificate is not the controller that is looked for; undefined when it is. */
function strangerAt(
  controller: string,
  leaf: X509Certificate,
  { fleet, revoked }: Pick<Trust, 'fleet' | 'revoked'>,
): EdgeError | undefined {
  const named = namedBy(leaf)
  if (named?.kind !== 'controller' || named.fleet !== fleet) {
    const who = named === null ? 'somebody without a name' : `${named.kind} ${titleOf(named)} of ${named.fleet}`
    return unreachable(controller, `${who} answers there, not a controller of ${fleet}`)
  }
  const reason = revoked(leaf, named)
  return reason === null ? undefined : unreachable(controller, reason)
}

function unreachable(controller: string, why: string, cause?: unknown): EdgeError {
  return new EdgeError('CONTROLLER_UNREACHABLE', {
    message: `${controller}: ${untrusted(why)}`,
    next: ['check the address and that "edgedeck controller" runs there'],
    cause,
  })
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
