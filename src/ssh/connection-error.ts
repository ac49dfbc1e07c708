import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { SshTarget } from './target.ts'

/** How far a connection came, which tells what it means when it breaks off. */
export type Stage = 'reaching' | 'greeting' | 'login'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ETIMEDOUT: 'nothing came back',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  EADDRNOTAVAIL: 'that address cannot be reached from here',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name server does not answer',
}

/** Why a connection failed, in words; safe to show. */
export function reasonOf(error: Error & { readonly code?: unknown; readonly level?: unknown }): string {
  const known = typeof error.code === 'string' ? REASONS[error.code] : undefined
  if (known !== undefined) return known
  if (error.level === 'client-timeout') return 'the other side went silent'
  if (/^(?:Connection lost before handshake|No response from server)$/.test(error.message)) {
    return 'the other side ended the connection'
  }
  return untrusted(error.message.slice(0, 300))
}

/** A server that was not reached, or broke off before it let us in. */
export function connectionError({ label, via }: SshTarget, stage: Stage, reason: string): EdgeError {
  const through = via === null ? '' : ` through ${via.label}`
  const what = {
    reaching: `no SSH server is reached at ${label}${through}`,
    greeting: `what answers at ${label}${through} did not agree on a way to speak SSH`,
    login: `the SSH server ${label}${through} broke off while it was logged in to`,
  }[stage]
  return new EdgeError('SSH_UNREACHABLE', {
    message: untrusted(`${what}: ${reason}`),
    next: [
      stage === 'reaching'
        ? 'check that the node is up, its address, and that sshd listens there'
        : 'try again; look at the log of sshd on that machine when it stays so',
    ],
  })
}
