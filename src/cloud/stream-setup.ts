import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { STREAMS, type StreamKind, type StreamWishes } from '../../protocol/stream-config.ts'
import { type CloudAddress, withoutCredentials } from '../config/cloud-address.ts'
import { openCloud } from './cloud-connection.ts'
import { planStream, type ServerConfiguration, type StreamPlan } from './stream-config.ts'

/** @see setUpStream */
export interface StreamSetUp {
  readonly apply: boolean
  readonly timeoutMs: number
  readonly kind?: StreamKind
  /** What a stream is made with where nobody asked for another; one that is there stays as somebody chose. */
  readonly whenNew?: Partial<StreamWishes>
}

const STREAM_NOT_FOUND = 10_059

/**
 * Look at one of a region's streams, and with `apply` make or change it as delivery needs it.
 * @throws EdgeError `CLOUD_UNREACHABLE` when the region does not answer or refuses
 */
export async function setUpStream(
  address: CloudAddress,
  wishes: Partial<StreamWishes>,
  { apply, timeoutMs, kind = 'blocks', whenNew = {} }: StreamSetUp,
): Promise<StreamPlan> {
  const name = kind === 'blocks' ? address.stream : STREAMS[kind]().name
  let connection: NatsConnection | undefined
  try {
    const opened = await openCloud(address, { timeoutMs, reconnects: 0 })
    connection = opened.connection
    const manager = await jetstreamManager(connection, { timeout: timeoutMs, apiPrefix: opened.apiPrefix })
    const existing = await configurationOf(manager, name)
    const wanted = { ...(existing === null ? whenNew : {}), ...wishes, name }
    const plan = planStream(existing, wanted, connection.info?.version ?? null, kind)
    // The client's types do not know atomic batches.
    const config = plan.config as unknown as StreamConfig
    if (apply && plan.action === 'create') await manager.streams.add(config)
    if (apply && plan.action === 'update') await manager.streams.update(name, config)
    return plan
  } catch (cause) {
    throw new EdgeError('CLOUD_UNREACHABLE', {
      message: `${address.name} (${address.servers.map(withoutCredentials).join(', ')}): ${messageOf(cause)}`,
      next: ['see that the servers run with JetStream and that the account may make streams'],
      cause,
    })
  } finally {
    await connection?.close()
  }
}

async function configurationOf(manager: JetStreamManager, name: string): Promise<ServerConfiguration | null> {
  try {
    const { config } = await manager.streams.info(name)
    return { ...config }
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return null
    throw error
  }
}
