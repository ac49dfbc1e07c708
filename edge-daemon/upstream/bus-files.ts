import { readFileSync, statSync } from 'node:fs'
import type { BusAccess } from '../../identity/bus-access.ts'
import { type NatsCredentials, readCredentials } from '../../identity/nats-key.ts'
import { messageOf } from '../../protocol/errors.ts'
import type { HttpTls } from './metered-agent.ts'

/** What a joined node shows on every TLS connection, and whom it believes. PEM texts. */
export interface UplinkIdentity {
  /** The fleet's roots. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Where a node's access to a bus comes from. */
export interface BusFiles {
  /** A file that is configured, and must be there; null for {@link ownCredentials}. */
  readonly credentials: string | null
  /** File that a joined node has credentials in, or not. */
  readonly ownCredentials: string
  /** PEM file that is configured; null for the roots of the identity. */
  readonly ca: string | null
  /** Whether servers may be spoken to in plain over a network (`upstream.insecure`). */
  readonly insecure?: boolean
  /** Null while the node has not joined. */
  readonly identity: () => UplinkIdentity | null
}

const OTHERS = 0o077
/** Setting of a CA for those that this machine believes anyway. */
const PLATFORM = 'platform'

/**
 * Read what an HTTPS connection is opened with: a configured PEM file, or `platform`, or the roots of the identity.
 * @throws Error when the file cannot be read
 */
export function readHttpTls({ ca, identity }: Pick<BusFiles, 'ca' | 'identity'>): HttpTls {
  const own = identity()
  const shown = own === null ? null : { cert: own.cert, key: own.key }
  if (ca === PLATFORM) return { ca: null, own: shown }
  return { ca: ca === null ? (own?.ca ?? null) : readText(ca), own: shown }
}

/**
 * Read what a connection is opened with. Asked before each, so that what was renewed is taken without a restart.
 * @throws Error with a sentence that says what to do, when a file is missing, damaged, or open to others
 */
export function readBusAccess({ credentials, ownCredentials, ca, identity, insecure = false }: BusFiles): BusAccess {
  const own = identity()
  return {
    credentials: credentials === null ? readOwn(ownCredentials) : mustRead(credentials),
    tls: {
      ca: ca === null ? (own?.ca ?? null) : readText(ca),
      own: own === null ? null : { cert: own.cert, key: own.key },
      insecure,
    },
  }
}

function readOwn(path: string): NatsCredentials | null {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? null : mustRead(path)
}

function mustRead(path: string): NatsCredentials {
  const text = readText(path)
  if ((statSync(path).mode & OTHERS) !== 0) {
    throw new Error(`${path} can be read by others of this machine: chmod 600 ${path}`)
  }
  const credentials = readCredentials(text)
  if (credentials === null) throw new Error(`${path} holds no credentials of a NATS user: put the right file there`)
  return credentials
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
