import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager, type StoredMsg, type StreamConfig } from '@nats-io/jetstream'
import { connect } from 'nats'
import { auditConfiguration, streamConfiguration } from '../../protocol/stream-config.ts'
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../../src/demo/nats-server.ts'

/** Messages that are asked for at a time. */
const PARALLEL_READS = 100

/** A real server in a folder of its own that can be taken down and brought back on the same port and data. */
export interface NatsFixture {
  readonly url: string
  readonly port: number
  /** Folder of the server's own. */
  readonly dir: string
  /** Make the stream `EDGE` that holds every site's blocks, as `edgedeck nats setup` makes it but for what is given. */
  addStream(changes?: Partial<StreamConfig>): Promise<void>
  /** Make the stream `AUDIT` that holds who did what. */
  addAuditStream(): Promise<void>
  /** Talk to the server's JetStream as an operator. */
  operate<T>(use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T>
  /** Every block that the stream of the subject holds whose subject matches, in stream order; marks only where their subject is given. */
  messages(subject?: string): Promise<StoredMsg[]>
  kill(): Promise<void>
  restart(): Promise<void>
  /** End the server and remove the folder. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Start a server for one test; `await using` ends it. */
export async function natsFixture(options: Omit<NatsServerOptions, 'dir' | 'port'> = {}): Promise<NatsFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-nats-'))
  let server: NatsServer = await startNatsServer({ ...options, dir })
  const { url, port } = server
  const withManager = async <T>(
    use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>,
  ): Promise<T> => {
    const connection = await connect({ servers: url })
    try {
      return await use(await jetstreamManager(connection))
    } finally {
      await connection.close()
    }
  }
  return {
    url,
    port,
    dir,
    operate: withManager,
    addStream: (changes = {}) =>
      withManager(async (manager) => {
        // The client's types do not know atomic batches.
        await manager.streams.add({ ...streamConfiguration({ maxBytes: 1e9 }), ...changes } as unknown as StreamConfig)
      }),
    addAuditStream: () =>
      withManager(async (manager) => {
        await manager.streams.add({ ...auditConfiguration({ maxBytes: 1e8 }) } as unknown as StreamConfig)
      }),
    messages: (subject) =>
      withManager(async (manager) => {
        const stream = /^audit\.|\.audit$/.test(subject ?? '') ? 'AUDIT' : 'EDGE'
        const { state } = await manager.streams.info(stream)
        const found: StoredMsg[] = []
        for (let first = Math.max(1, state.first_seq); first <= state.last_seq; first += PARALLEL_READS) {
          const count = Math.min(PARALLEL_READS, state.last_seq - first + 1)
          const reads = Array.from({ length: count }, (_, n) => manager.streams.getMessage(stream, { seq: first + n }))
          for (const message of await Promise.all(reads)) {
            if (message === null || message.subject.includes('.mark.') !== (subject?.includes('.mark.') ?? false))
              continue
            if (subject === undefined || message.subject === subject) found.push(message)
          }
        }
        return found
      }),
    kill: () => server.kill(),
    restart: async () => {
      server = await startNatsServer({ ...options, dir, port })
    },
    [Symbol.asyncDispose]: async () => {
      await server.kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
