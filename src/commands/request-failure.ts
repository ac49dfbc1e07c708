import { EdgeError, ERROR_CODES, type ErrorCode } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { RequestFailure } from '../link/link.ts'

/** What to do about a refusal that names no cure itself. */
function curesOf(code: string): string[] {
  if (code !== 'NODE_UNREACHABLE') return ['look at it with edgedeck nodes']
  return [
    'look whether edge-daemon runs there, and the tunnel to its control.listen',
    'or correct --node or nodes in the configuration',
  ]
}

/** A node's refusal as an error of this console: its code where we know it, its words made safe. */
export function failureOf(nodeName: string, { code, message, next }: RequestFailure): EdgeError {
  const known = Object.hasOwn(ERROR_CODES, code)
  return new EdgeError(known ? (code as ErrorCode) : 'NODE_UNREACHABLE', {
    message: untrusted(`${nodeName}: ${known ? '' : `${code}: `}${message}`),
    next: next.length > 0 ? next.map((cure) => untrusted(cure)) : curesOf(code),
  })
}
