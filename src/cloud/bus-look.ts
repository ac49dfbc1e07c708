import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { errors, type NatsConnection } from 'nats'
import type { BusAccess } from '../../identity/bus-access.ts'
import { statusSubject } from '../../protocol/bus-subjects.ts'
import { messageOf } from '../../protocol/errors.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { openCloud } from './cloud-connection.ts'
import type { ServerConfiguration } from './stream-config.ts'

/** What is to be looked at on a bus, as somebody. */
export interface BusLookOptions {
  readonly address: CloudAddress
  /** Names of streams. */
  readonly streams: readonly string[]
  /** Sites whose heartbeats are listened for; `*` for all, empty for none. */
  readonly presenceOf: '*' | readonly string[]
  readonly timeoutMs: number
}

/** How a bus looks to somebody; reasons are sentences. */
export type BusLook =
  | { readonly ok: false; readonly reason: string; readonly isRefused: boolean }
  | {
      readonly ok: true
      readonly server: { readonly name: string; readonly version: string; readonly rttMs: number }
      /** Subjects that may not be listened to: answers and heartbeats. */
      readonly deaf: readonly string[]
      readonly streams: readonly StreamLook[]
    }

/** How a stream looks. */
export type StreamLook =
  | { readonly name: string; readonly state: 'missing' }
  | { readonly name: string; readonly state: 'refused' | 'unanswered'; readonly reason: string }
  | {
      readonly name: string
      readonly state: 'there'
      readonly config: ServerConfiguration
      readonly bytes: number
      readonly messages: number
    }

const STREAM_NOT_FOUND = 10_059

/** Connect once as whoever an address says and look what may be heard and what streams there are. Changes nothing, never rejects. */
export async function lookAtBus({ address, streams, presenceOf, timeoutMs }: BusLookOptions): Promise<BusLook> {
  let opened: Awaited<ReturnType<typeof openCloud>>
  try {
    opened = await openCloud(address, { timeoutMs, reconnects: 0 })
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    const isRefused =
      cause instanceof errors.AuthorizationError || cause instanceof errors.UserAuthenticationExpiredError
    // The client rejects with nothing when a server hangs up before its first word.
    return { ok: false, reason: error === undefined ? 'the server closed the connection' : messageOf(error), isRefused }
  }
  const { connection, apiPrefix } = opened
  try {
    const deaf = await deafTo(connection, [
      `${inboxOf(address)}.>`,
      ...(presenceOf === '*' ? [null] : presenceOf).map((site) => statusSubject(site, null)),
    ])
    const rttMs = await connection.rtt()
    const found = await Promise.all(streams.map((name) => lookAtStream(connection, { name, apiPrefix, timeoutMs })))
    const { server_name: name = '', version = '' } = connection.info ?? {}
    return { ok: true, server: { name, version, rttMs }, deaf, streams: found }
  } catch (error) {
    return { ok: false, reason: messageOf(error), isRefused: false }
  } finally {
    await connection.close().catch(() => undefined)
  }
}

/** Which of some subjects the server does not let one hear. */
async function deafTo(connection: NatsConnection, subjects: readonly string[]): Promise<string[]> {
  const deaf: string[] = []
  for (const subject of subjects) {
    connection.subscribe(subject, {
      callback: (error) => {
        if (error instanceof errors.PermissionViolationError) deaf.push(subject)
      },
    })
  }
  // The server has answered all of them when it answers what came after.
  await connection.flush()
  await new Promise((resolve) => setImmediate(resolve))
  return deaf
}

async function lookAtStream(
  connection: NatsConnection,
  { name, apiPrefix, timeoutMs }: { readonly name: string; readonly apiPrefix: string; readonly timeoutMs: number },
): Promise<StreamLook> {
  try {
    const manager = await jetstreamManager(connection, { timeout: timeoutMs, apiPrefix, checkAPI: false })
    const { config, state } = await manager.streams.info(name)
    return { name, state: 'there', config: { ...config }, bytes: state.bytes, messages: state.messages }
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return { name, state: 'missing' }
    const reason = messageOf(error)
    const cause = error instanceof Error ? error.cause : undefined
    const isRefused =
      [error, cause].some((one) => one instanceof errors.PermissionViolationError) || /permission/i.test(reason)
    return { name, state: isRefused ? 'refused' : 'unanswered', reason }
  }
}

function inboxOf({ access, as = 'operator' }: CloudAddress): string {
  const credentials: BusAccess['credentials'] = access?.().credentials ?? null
  return credentials?.isOurs === true ? `_INBOX.${as}.${credentials.name}` : '_INBOX.edgedeck'
}
