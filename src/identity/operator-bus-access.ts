import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { BusAccess } from '../../identity/bus-access.ts'
import { type NatsCredentials, readCredentials } from '../../identity/nats-key.ts'
import { messageOf } from '../../protocol/errors.ts'
import type { NatsAccess } from '../config/context.ts'
import { IDENTITY_FILES } from './identity-folder.ts'
import type { IdentitySource } from './identity-source.ts'

/** Where an operator's access to the bus of a fleet comes from. */
export interface OperatorBusFiles {
  readonly nats: Pick<NatsAccess, 'credentials' | 'ca'>
  /** Paths in the configuration are beside it. */
  readonly configFile: string
  /** Folder of the context's identity. */
  readonly identityDir: string
  readonly identity: IdentitySource
}

const OTHERS = 0o077

/**
 * What a console shows to the bus and whom it believes. Asked before each connection, so that a login in another terminal
 * counts at the next one.
 * @throws Error with a sentence that says what to do, when a file is missing, damaged, or open to others
 */
export function readOperatorBus({ nats, configFile, identityDir, identity }: OperatorBusFiles): BusAccess {
  const state = identity.current()
  const tls = state.kind === 'held' ? state.identity.tls : null
  const beside = (path: string): string => resolve(dirname(configFile), path)
  const own = join(identityDir, IDENTITY_FILES.credentials)
  const hasOwn = statSync(own, { throwIfNoEntry: false }) !== undefined
  return {
    credentials: nats.credentials !== null ? read(beside(nats.credentials)) : hasOwn ? read(own) : null,
    tls: {
      ca: nats.ca === null ? (tls?.ca ?? null) : textOf(beside(nats.ca)),
      own: tls === null ? null : { cert: tls.cert, key: tls.key },
    },
  }
}

function read(path: string): NatsCredentials {
  const text = textOf(path)
  if ((statSync(path).mode & OTHERS) !== 0) {
    throw new Error(`${path} can be read by others of this machine: chmod 600 ${path}`)
  }
  const credentials = readCredentials(text)
  if (credentials === null) throw new Error(`${path} holds no credentials of a NATS user: log in with edgedeck login`)
  return credentials
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
