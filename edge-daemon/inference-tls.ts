import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { NodeIdentity } from './identity/node-identity.ts'

/** Setting for the node's own certificate. */
const FLEET = 'fleet'
const OTHERS = 0o007

/**
 * What devices are served with over TLS, PEM; null for plain HTTP.
 * @throws EdgeError `CONFIG_UNSERVABLE` when a file is missing, open to others, or does not fit the other
 */
export function inferenceTls(
  { cert, key }: DaemonConfig['inference']['tls'],
  identity: Pick<NodeIdentity, 'tls'> | null,
): { readonly cert: string; readonly key: string } | null {
  if (cert === null && key === null) return null
  if (cert === FLEET) {
    if (identity === null)
      throw unservable('inference.tls.cert is fleet, and this node has not joined one', 'join first')
    const own = identity.tls()
    return { cert: own.cert, key: own.key }
  }
  if (cert === null || key === null)
    throw unservable('inference.tls needs both cert and key', 'name the other file too')
  try {
    if ((statSync(key).mode & OTHERS) !== 0) throw unservable(`${key} is open to every user`, `run "chmod 600 ${key}"`)
    const tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
    createSecureContext(tls)
    return tls
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    throw unservable(
      `inference.tls cannot be used: ${messageOf(cause)}`,
      'check that both files are PEM and of each other',
    )
  }
}

function unservable(message: string, next: string): EdgeError {
  return new EdgeError('CONFIG_UNSERVABLE', { message, next: [next] })
}
