import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'nats'
import { type Origin, ROLL_CALL_SUBJECT, statusSubject } from '../../protocol/bus-subjects.ts'
import { HEARTBEAT_EVERY_MS } from '../../protocol/presence.ts'
import type { Bus } from '../../tunnel/bus.ts'
import type { LiveLog, TelemetryPace } from '../live/contract.ts'
import { heartbeatOf, type Moment, type Standing } from './heartbeat.ts'
import { NodeBus } from './node-bus.ts'
import { TunnelDoor } from './tunnel-door.ts'

/** What a node needs to be reached and seen through the bus. */
export interface ReachOptions {
  readonly origin: Origin
  /** A connection for each region: an operator may see only one of them. */
  readonly regions: readonly { readonly name: string; readonly connection: () => ConnectionOptions }[]
  readonly take: (stream: Duplex) => void
  readonly maxTunnels: number
  /** What the node is now, with cumulative histograms. */
  readonly snapshot: () => Moment['status']
  readonly standing: () => Standing
  /** The cap that heartbeats count under too. */
  readonly pace: Pick<TelemetryPace, 'told'>
  readonly log: LiveLog
  readonly random?: () => number
}

/** Share of the time between heartbeats by which each of them is early or late, so that a fleet does not beat in step. */
const JITTER = 0.1
/** A roll call is answered within this time, so not by the whole fleet at once; and no sooner than this after the last heartbeat. */
const ROLL_CALL_MS = 1000

/** This node on the bus: a door for consoles, and a heartbeat for whoever watches (architecture decision 15). */
export class Reach {
  readonly #options: ReachOptions
  readonly #random: () => number
  readonly #door: TunnelDoor
  readonly #buses: readonly NodeBus[]
  readonly #up = new Set<Bus>()
  #last: Moment | null = null
  #timer: NodeJS.Timeout | null = null
  /** Somebody waits for the next heartbeat. */
  #isCalled = false

  constructor(options: ReachOptions) {
    const { origin, regions, take, maxTunnels, log } = options
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#door = new TunnelDoor({ origin, take, maxTunnels, log })
    this.#buses = regions.map(
      ({ name, connection }) => new NodeBus({ region: name, connection, log, onUp: (bus) => this.#serve(bus) }),
    )
  }

  start(): void {
    for (const bus of this.#buses) bus.start()
    if (this.#buses.length > 0) this.#arm(this.#random() * HEARTBEAT_EVERY_MS)
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await Promise.all(this.#buses.map((bus) => bus.stop()))
  }

  /** Connect anew everywhere, with credentials as they are now. */
  renew(): void {
    for (const bus of this.#buses) bus.renew()
  }

  /** Bytes handed to the network on its connections: tunnels, heartbeats, and what a connection needs. */
  sentBytes(): number {
    return this.#buses.reduce((sum, bus) => sum + bus.sentBytes(), 0)
  }

  #serve(bus: Bus): (reason: string) => void {
    const close = this.#door.serve(bus)
    this.#up.add(bus)
    bus.subscribe(ROLL_CALL_SUBJECT, () => this.#rollCalled())
    return (reason) => {
      this.#up.delete(bus)
      close(reason)
    }
  }

  #arm(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#beat()
      this.#arm(HEARTBEAT_EVERY_MS * (1 + JITTER * (2 * this.#random() - 1)))
    }, waitMs)
  }

  /** Bring the next heartbeat forward, behind the last one by a second at least. */
  #rollCalled(): void {
    if (this.#timer === null || this.#isCalled) return
    this.#isCalled = true
    clearTimeout(this.#timer)
    const restMs = Math.max(0, (this.#last?.monotonicMs ?? 0) + ROLL_CALL_MS - performance.now())
    this.#arm(restMs + this.#random() * ROLL_CALL_MS)
  }

  #beat(): void {
    this.#isCalled = false
    const { origin, snapshot, standing, pace, log } = this.#options
    try {
      const moment = { status: snapshot(), wallMs: Date.now(), monotonicMs: performance.now() }
      const beat = Buffer.from(JSON.stringify(heartbeatOf(moment, this.#last, standing())))
      this.#last = moment
      const subject = statusSubject(origin.site, origin.node)
      for (const bus of this.#up) {
        bus.publish(subject, beat)
        pace.told(beat.length + subject.length)
      }
    } catch (error) {
      log.warn('rpc.heartbeat_failed', error instanceof Error ? error.message : String(error))
    }
  }
}
