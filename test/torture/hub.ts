import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from 'nats'
import { streamSubjects } from '../../protocol/subjects.ts'
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../../src/demo/nats-server.ts'
import { eventually } from '../support/edge-daemon.ts'
import { copyOf, type HeldMessage } from './block-decoder.ts'
import type { CloudBlock, CloudCopy } from './evidence.ts'

const STREAM = 'EDGE'
const PARALLEL_READS = 64
const NANOS_PER_MS = 1e6
/** Shorter than every outage the runs make, so that the bus's own duplicate window can never be what saves a run. */
const DUPLICATE_WINDOW_MS = 1000

/** A cloud region: a real nats-server with a stream, that can be killed, set back and purged, and read by the oracle. */
export class Hub {
  readonly region: string
  readonly #dir: string
  readonly #options: Omit<NatsServerOptions, 'dir' | 'port'>
  #server: NatsServer | null = null
  #port = 0
  /** Blocks that were purged or expired on purpose, as they were read before. */
  readonly #before: CloudBlock[] = []
  #snapshots = 0

  constructor({ region, dir, ...options }: { region: string; dir: string } & Omit<NatsServerOptions, 'dir' | 'port'>) {
    this.region = region
    this.#dir = dir
    this.#options = options
  }

  get port(): number {
    return this.#port
  }

  get isUp(): boolean {
    return this.#server !== null
  }

  /** Start the server, on the same port and data as before. */
  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true })
    this.#server = await startNatsServer({ ...this.#options, dir: this.#dir, port: this.#port })
    this.#port = this.#server.port
  }

  /** Make the stream that holds every site's blocks. */
  async addStream(changes: Partial<StreamConfig> = {}): Promise<void> {
    await this.#manage(async (manager) => {
      await manager.streams.add({ ...STREAM_CONFIG, ...changes })
    })
  }

  async updateStream(changes: Partial<StreamConfig>): Promise<void> {
    await this.#manage(async (manager) => {
      await manager.streams.update(STREAM, changes)
    })
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#server?.kill()
    this.#server = null
  }

  /** Copy what the server holds, as one moment: the process stands still meanwhile. Returns the copy's name. */
  async snapshot(): Promise<string> {
    this.#snapshots += 1
    const copy = join(this.#dir, `snapshot-${this.#snapshots}`)
    const pid = this.#server?.pid
    if (pid !== undefined) process.kill(pid, 'SIGSTOP')
    try {
      await cp(join(this.#dir, 'jetstream'), copy, { recursive: true })
    } finally {
      if (pid !== undefined) process.kill(pid, 'SIGCONT')
    }
    return copy
  }

  /** Kill the server and let it come back with what it held at a snapshot. */
  async restore(copy: string): Promise<void> {
    await this.kill()
    await rm(join(this.#dir, 'jetstream'), { recursive: true, force: true })
    await rename(copy, join(this.#dir, 'jetstream'))
    await this.start()
  }

  /** Remove all messages of the stream; what it held counts as having arrived. */
  async purge(): Promise<number> {
    const { blocks } = await this.read()
    const purged = await this.#manage((manager) => manager.streams.purge(STREAM))
    const known = new Set(this.#before.map(({ position }) => position))
    this.#before.push(...blocks.filter(({ position }) => !known.has(position)))
    return purged.purged
  }

  /** Another publisher on our subjects: no headers, wrong headers, and message ids that a block might have borne. */
  async intrude(node: string, ids: readonly string[]): Promise<void> {
    await this.#connected(async (connection) => {
      for (const kind of ['results', 'stats']) {
        for (const id of ids) {
          const foreign = headers()
          foreign.set('Nats-Msg-Id', id)
          connection.publish(`edge.plant.${node}-other.${kind}`, 'not ours', { headers: foreign })
        }
        connection.publish(`edge.plant.${node}.${kind}`, 'not ours either')
      }
      await connection.flush()
    })
  }

  /** Everything that is held now, and what was held before a purge. */
  async read(): Promise<CloudCopy> {
    return copyOf({ region: this.region, messages: await this.#messages(), before: this.#before })
  }

  /** Last sequence of the stream and what it holds, for progress lines. */
  async state(): Promise<{ lastSeq: number; messages: number; bytes: number }> {
    return this.#manage(async (manager) => {
      const { state } = await manager.streams.info(STREAM)
      return { lastSeq: state.last_seq, messages: state.messages, bytes: state.bytes }
    })
  }

  #messages(): Promise<HeldMessage[]> {
    return this.#manage(async (manager) => {
      const { state } = await manager.streams.info(STREAM)
      const found: HeldMessage[] = []
      for (let first = Math.max(1, state.first_seq); first <= state.last_seq; first += PARALLEL_READS) {
        const count = Math.min(PARALLEL_READS, state.last_seq - first + 1)
        const reads = Array.from({ length: count }, (_, n) => manager.streams.getMessage(STREAM, { seq: first + n }))
        for (const stored of await Promise.all(reads)) {
          if (stored === null) continue
          const { seq: position, subject, data, header } = stored
          found.push({ position, subject, data, header: (name) => header.get(name) })
        }
      }
      return found
    })
  }

  #manage<T>(use: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    return this.#connected(async (connection) => {
      let manager: JetStreamManager | null = null
      await eventually(
        async () => {
          manager = await jetstreamManager(connection, { timeout: 2000 }).catch(() => null)
          return manager !== null
        },
        { what: `JetStream of ${this.region} answers` },
      )
      return use(manager as unknown as JetStreamManager)
    })
  }

  async #connected<T>(use: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = await connect({ servers: `nats://127.0.0.1:${this.#port}`, maxReconnectAttempts: 0 })
    try {
      return await use(connection)
    } finally {
      await connection.close()
    }
  }
}

const STREAM_CONFIG = {
  name: STREAM,
  subjects: streamSubjects(),
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.New,
  storage: StorageType.File,
  max_bytes: 1e9,
  duplicate_window: DUPLICATE_WINDOW_MS * NANOS_PER_MS,
  allow_direct: true,
  allow_rollup_hdrs: true,
  allow_msg_ttl: true,
  allow_atomic: true,
}
