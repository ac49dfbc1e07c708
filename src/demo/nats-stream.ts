import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect } from 'nats'
import { EdgeError } from '../../protocol/errors.ts'
import { auditConfiguration, STREAM_PRESET, streamConfiguration } from '../../protocol/stream-config.ts'

/** Name of the demo's JetStream stream. */
export const DEMO_STREAM = STREAM_PRESET.name
const STREAM_BYTES = 256e6
const AUDIT_BYTES = 32e6
const JETSTREAM_READY_TRIES = 40
const JETSTREAM_RETRY_MS = 50

/**
 * Make the demo's own streams on a server that has just started.
 * @throws EdgeError `UPLINK_REFUSED`
 */
export async function createDemoStream(url: string, { maxBytes = STREAM_BYTES } = {}): Promise<void> {
  const connection = await connect({ servers: url, maxReconnectAttempts: 0 })
  try {
    // The client's types do not know atomic batches.
    const stream = { ...streamConfiguration({ maxBytes }) } as unknown as StreamConfig
    const audit = { ...auditConfiguration({ maxBytes: AUDIT_BYTES }) } as unknown as StreamConfig
    // The server takes connections a moment before JetStream answers.
    for (let tries = 1; ; tries += 1) {
      try {
        const manager = await jetstreamManager(connection, { timeout: 1000 })
        await manager.streams.add(stream)
        await manager.streams.add(audit)
        return
      } catch (cause) {
        if (tries === JETSTREAM_READY_TRIES) {
          throw new EdgeError('UPLINK_REFUSED', {
            message: `nats-server does not make the stream ${DEMO_STREAM}`,
            next: ['look for free space in the temporary folder'],
            cause,
          })
        }
        await new Promise((resolve) => setTimeout(resolve, JETSTREAM_RETRY_MS))
      }
    }
  } finally {
    await connection.close()
  }
}
