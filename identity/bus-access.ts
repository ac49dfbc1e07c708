import { fromSeed } from '@nats-io/nkeys'
import type { BusUserKind } from '../protocol/bus-users.ts'
import type { NatsCredentials } from './nats-key.ts'

/** What a connection to the bus shows and believes; read anew for every connection, so that what was renewed is taken. */
export interface BusAccess {
  /** Null where the servers ask for none. */
  readonly credentials: NatsCredentials | null
  /** PEM texts: who signed the servers' certificates (null for the platform's authorities), and an own certificate. */
  readonly tls: {
    readonly ca: string | null
    readonly own: { readonly cert: string; readonly key: string } | null
    /** Whether servers that are not named `tls://` may be spoken to in plain off this machine. */
    readonly insecure?: boolean
  }
}

/** A bus on this machine alone, as in a demo. */
export const OPEN_BUS: BusAccess = { credentials: null, tls: { ca: null, own: null } }

/** Options of the NATS client for a connection, as it takes them. */
export interface BusOptions {
  readonly authenticator?: (nonce?: string) => { readonly jwt: string; readonly nkey: string; readonly sig: string }
  readonly inboxPrefix?: string
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly minVersion: 'TLSv1.3'
    /** Before the server has said its first word, which else is in plain and tells what it is. */
    readonly handshakeFirst: boolean
  }
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

/**
 * How to connect as somebody. Off this machine, and wherever an address begins with `tls:`, nothing is said in plain: a
 * server that does not offer TLS 1.3 is left. `tls://` speaks TLS from the first byte (`handshake_first` in a server's
 * configuration, as in those of ours); `nats://` waits for the server's greeting, which is in plain, and goes over then.
 * @param kind of user that the credentials name; a bus of ours lets nobody listen but below their own inbox
 */
export function busOptionsOf(
  servers: readonly string[],
  { credentials, tls }: BusAccess,
  kind: BusUserKind,
): BusOptions {
  const { ca, own, insecure = false } = tls
  const isPlain = servers.every(insecure ? (server) => !server.startsWith('tls://') : isLocalPlain)
  const handshakeFirst = servers.every((server) => server.startsWith('tls://'))
  return {
    ...(credentials === null
      ? {}
      : {
          authenticator: proofOf(credentials),
          ...(credentials.isOurs ? { inboxPrefix: `_INBOX.${kind}.${credentials.name}` } : {}),
        }),
    ...(isPlain
      ? {}
      : {
          tls: {
            minVersion: 'TLSv1.3',
            handshakeFirst,
            ...(ca === null ? {} : { ca }),
            ...(own === null ? {} : own),
          } as const,
        }),
  }
}

/**
 * Why a server may have refused a connection, with what to do, for people. Credentials are judged by the server; this
 * machine's clock only helps to say what is likely.
 * @param cure what gets new credentials, an imperative
 */
export function refusalMsg({ credentials }: BusAccess, { nowMs, cure }: { nowMs: number; cure: string }): string {
  if (credentials === null) return `the servers ask for credentials; ${cure}`
  const { name, expiresAtMs } = credentials
  if (expiresAtMs === null || expiresAtMs > nowMs) return `the servers refuse the credentials of ${name}; ${cure}`
  return `the credentials of ${name} ended at ${new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z')}; ${cure}`
}

/** Answer of a user to a server's challenge. */
function proofOf({ jwt, key }: NatsCredentials): NonNullable<BusOptions['authenticator']> {
  return (nonce = '') => {
    const sig = fromSeed(Buffer.from(key.seed)).sign(Buffer.from(nonce))
    return { jwt, nkey: key.publicKey, sig: Buffer.from(sig).toString('base64url') }
  }
}

function isLocalPlain(server: string): boolean {
  const url = URL.parse(server.includes('://') ? server : `nats://${server}`)
  return url !== null && url.protocol !== 'tls:' && LOOPBACK.test(url.hostname)
}
