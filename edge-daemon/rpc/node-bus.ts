import type { Socket } from 'node:net'
import { type ConnectionOptions, connect, type NatsConnection } from 'nats'
import { type Bus, BusConnection } from '../../tunnel/bus.ts'
import type { LiveLog } from '../live/contract.ts'
import { Backoff } from '../upstream/backoff.ts'
import { SocketMeter } from '../upstream/socket-meter.ts'

/** How this node listens on the bus of one region. */
export interface NodeBusOptions {
  /** For the log. */
  readonly region: string
  /** Servers, name and credentials, read anew for each connection. */
  readonly connection: () => ConnectionOptions
  /** The bus is there; the answer is called when it is gone. */
  readonly onUp: (bus: Bus) => (reason: string) => void
  readonly log: LiveLog
}

const CONNECT_TIMEOUT_MS = 10_000
/** Rare, since it is all that is said while nobody looks and between heartbeats. */
const PING_INTERVAL_MS = 20_000
/** A fleet that lost its bus must not come back in one breath: up to half of a wait is taken off by chance. */
const BACKOFF = { firstMs: 1000, maxMs: 30_000 } as const

/**
 * A connection of its own beside the uplink's, so that a backlog in that one's buffers never holds up an operator. What
 * it writes is counted below TLS.
 */
export class NodeBus {
  readonly #connection: BusConnection
  readonly #meter = new SocketMeter()
  readonly #sockets = new Set<Socket>()

  constructor({ region, connection, onUp, log }: NodeBusOptions) {
    const backoff = new Backoff(BACKOFF)
    let faulty: string | null = null
    let opened: NatsConnection | null = null
    this.#connection = new BusConnection({
      open: async () => {
        opened = await this.#meter.watch(
          () =>
            connect({
              ...connection(),
              reconnect: false,
              timeout: CONNECT_TIMEOUT_MS,
              pingInterval: PING_INTERVAL_MS,
              maxPingOut: 2,
              ignoreClusterUpdates: true,
            }),
          (socket) => this.#watch(socket),
        )
        return opened
      },
      waitMs: () => backoff.nextMs(),
      onUp: (bus) => {
        backoff.reset()
        faulty = null
        const down = onUp(bus)
        // What was subscribed to stands at the server before it answers.
        void opened?.flush().then(
          () => log.info('rpc.listening', 'consoles can reach this node through the bus', { region }),
          () => undefined,
        )
        return (reason) => {
          log.warn('rpc.lost', reason, { region })
          down(reason)
        }
      },
      onFault: (reason) => {
        // The same fault at every try is told once.
        if (reason !== faulty) log.warn('rpc.unreachable', reason, { region })
        faulty = reason
      },
    })
  }

  start(): void {
    this.#meter.start()
    this.#connection.start()
  }

  async stop(): Promise<void> {
    await this.#connection.stop()
    for (const socket of this.#sockets) socket.destroy()
    this.#meter.stop()
  }

  /** Connect anew, with credentials as they are now. */
  renew(): void {
    this.#connection.renew()
  }

  /** Bytes handed to the network since the start. */
  sentBytes(): number {
    return this.#meter.totalBytes()
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}
