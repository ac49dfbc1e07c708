import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager, type StoredMsg, type StreamConfig } from '@nats-io/jetstream'
import { connect, type NatsConnection } from 'nats'
import type { BusAccess } from '../../identity/bus-access.ts'
import { auditConfiguration, type StreamConfiguration, streamConfiguration } from '../../protocol/stream-config.ts'
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../../src/demo/nats-server.ts'
import { freePort } from './free-port.ts'

/** Messages that are asked for at a time. */
const PARALLEL_READS = 100

/** How a {@link NatsFixture} is talked to. */
export interface NatsDoor {
  /** Address of a port on loopback, the server's own or that of a link to it. */
  address(port: number): string
  /** What the node `plant/n1` shows; left out where nothing is asked. */
  readonly access?: () => BusAccess
  /** Connect as another node of the site. */
  connectAs(node: string): Promise<NatsConnection>
  /** Connect as whoever may do everything with streams. */
  keeper(): Promise<NatsConnection>
  /** Configuration of the stream `EDGE` as it is made here. */
  readonly stream: StreamConfiguration
}

/** A real server in a folder of its own that can be taken down and brought back on the same port and data. */
export interface NatsFixture {
  readonly url: string
  readonly port: number
  /** Folder of the server's own. */
  readonly dir: string
  readonly door: NatsDoor
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
  let server: NatsServer = await startNatsServer({ ...options, dir, port: await freePort() })
  const { url, port } = server
  const open = (): Promise<NatsConnection> => connect({ servers: url })
  const stream = streamConfiguration({ maxBytes: 1e9 })
  const door = { address: (at: number) => `nats://127.0.0.1:${at}`, connectAs: open, keeper: open, stream }
  return {
    url,
    port,
    dir,
    ...streamsBehind(door),
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

/** What tests do with the streams of a server. */
export function streamsBehind(
  door: NatsDoor,
): Pick<NatsFixture, 'door' | 'addStream' | 'addAuditStream' | 'operate' | 'messages'> {
  const operate: NatsFixture['operate'] = async (use) => {
    const connection = await door.keeper()
    try {
      return await use(await jetstreamManager(connection))
    } finally {
      await connection.close()
    }
  }
  return {
    door,
    operate,
    addStream: (changes = {}) =>
      operate(async (manager) => {
        // The client's types do not know atomic batches.
        await manager.streams.add({ ...door.stream, ...changes } as unknown as StreamConfig)
      }),
    addAuditStream: () =>
      operate(async (manager) => {
        await manager.streams.add({ ...auditConfiguration({ maxBytes: 1e8 }) } as unknown as StreamConfig)
      }),
    messages: (subject) =>
      operate(async (manager) => {
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
  }
}
