import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType, type StoredMsg } from '@nats-io/jetstream'
import { connect } from 'nats'
import { streamSubjects } from '../../protocol/subjects.ts'
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../../src/demo/nats-server.ts'

/** Messages that are asked for at a time. */
const PARALLEL_READS = 100

/** A real server in a folder of its own that can be taken down and brought back on the same port and data. */
export interface NatsFixture {
  readonly url: string
  readonly port: number
  /** Make the stream `EDGE` that holds every site's blocks. */
  addStream(): Promise<void>
  /** Every message the stream holds whose subject matches, in stream order. */
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
    addStream: () =>
      withManager(async (manager) => {
        await manager.streams.add({
          name: 'EDGE',
          subjects: streamSubjects(),
          retention: RetentionPolicy.Limits,
          discard: DiscardPolicy.New,
          storage: StorageType.File,
        })
      }),
    messages: (subject) =>
      withManager(async (manager) => {
        const { state } = await manager.streams.info('EDGE')
        const found: StoredMsg[] = []
        for (let first = state.first_seq; first <= state.last_seq; first += PARALLEL_READS) {
          const count = Math.min(PARALLEL_READS, state.last_seq - first + 1)
          const reads = Array.from({ length: count }, (_, n) => manager.streams.getMessage('EDGE', { seq: first + n }))
          for (const message of await Promise.all(reads)) {
            if (message !== null && (subject === undefined || message.subject === subject)) found.push(message)
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
