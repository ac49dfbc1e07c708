import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { NatsConnection } from 'nats'
import {
  type Origin,
  ROLL_CALL_SUBJECT,
  readStatusSubject,
  rpcSubject,
  statusSubject,
  tunnelInSubject,
  tunnelOutSubject,
} from '../../protocol/bus-subjects.ts'
import { decodeHeartbeat, type Heartbeat } from '../../protocol/presence.ts'
import { TUNNEL_VERSION, TUNNEL_WINDOW_BYTES, type TunnelAnswer, tunnelAnswerSchema } from '../../protocol/tunnel.ts'
import { type Bus, BusConnection } from '../../tunnel/bus.ts'
import { Tunnel } from '../../tunnel/tunnel.ts'
import { type Backoff, backoffMs } from './backoff.ts'

/** How a console is on the bus of its fleet. */
export interface FleetBusOptions {
  /** Connect as the operator that is logged in now; reads credentials anew each time. */
  readonly open: () => Promise<NatsConnection>
  /** The operator's name on the bus, a subject token; asked at each opening. */
  readonly who: () => string
  /** Sites whose heartbeats may be heard; `*` for all of them. */
  readonly sites: () => '*' | readonly string[]
  readonly backoff?: Backoff
  readonly random?: () => number
}

/** Quick, since nothing behind NAT is seen meanwhile. */
const BACKOFF: Backoff = { minMs: 250, maxMs: 10_000 }

/** Who hears of nodes on the bus. `sizeBytes` is the length of the message. */
export type PresenceListener = (origin: Origin, heartbeat: Heartbeat, sizeBytes: number) => void

/**
 * The console's one connection to its fleet's bus: tunnels to nodes that cannot be reached straight, and the heartbeats of
 * those that are there. Its loss takes all tunnels along; links make new ones when it is back.
 */
export class FleetBus {
  readonly #options: FleetBusOptions
  #connection: BusConnection | null = null
  /** How many use it: it is connected while somebody does. */
  #users = 0
  readonly #listeners = new Set<PresenceListener>()
  readonly #waiting = new Set<() => void>()
  readonly #faultListeners = new Set<(reason: string) => void>()
  #bus: Bus | null = null
  #tunnels = new Set<Tunnel>()
  #fault: string | null = 'the bus is not connected yet'

  constructor(options: FleetBusOptions) {
    this.#options = options
  }

  /** Connect, or share the connection that somebody else uses; each start needs its stop. */
  start(): void {
    this.#users += 1
    if (this.#users > 1) return
    const { open, backoff = BACKOFF, random = Math.random } = this.#options
    this.#connection = new BusConnection({
      open,
      waitMs: (attempt) => backoffMs(backoff, attempt, random()),
      onUp: (bus) => this.#up(bus),
      onFault: (reason) => this.#fail(`the bus: ${reason}`),
    })
    this.#connection.start()
  }

  /** Use it no more; the last who does ends the connection. */
  async stop(): Promise<void> {
    this.#users = Math.max(0, this.#users - 1)
    if (this.#users > 0) return
    const connection = this.#connection
    this.#connection = null
    await connection?.stop()
  }

  /** Why nobody is reached through it now; null while it is connected. */
  get fault(): string | null {
    return this.#bus === null ? this.#fault : null
  }

  /** Be told why the bus is not there, each reason once; returns how to stop. */
  onFault(listener: (reason: string) => void): () => void {
    this.#faultListeners.add(listener)
    return () => this.#faultListeners.delete(listener)
  }

  /** Be told of heartbeats; returns how to stop. */
  onPresence(listener: PresenceListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Be told when the bus is there, also when it is already; returns how to stop. */
  onUp(listener: () => void): () => void {
    this.#waiting.add(listener)
    if (this.#bus !== null) listener()
    return () => this.#waiting.delete(listener)
  }

  /**
   * Open a tunnel to a node. Rejects with a sentence for an operator when the bus is away, nobody answers within
   * `timeoutMs`, or the node takes none. Nothing that comes through proves who is there: TLS inside does.
   */
  async openTunnel(origin: Origin, timeoutMs: number): Promise<Duplex> {
    const bus = this.#bus
    if (bus === null) throw new Error(this.#fault ?? 'the bus is away')
    const session = randomBytes(16).toString('base64url')
    const who = this.#options.who()
    let tunnel: Tunnel | null = null
    const early: Uint8Array[] = []
    // Before the node is asked, so that no message of its comes too early to be heard.
    const unhear = bus.subscribe(tunnelOutSubject(origin, who, session), ({ data }) => {
      if (tunnel === null) early.push(data)
      else tunnel.hear(data)
    })
    const give = (reason: string): never => {
      unhear()
      throw new Error(reason)
    }
    const request = { v: TUNNEL_VERSION, session, who, windowBytes: TUNNEL_WINDOW_BYTES }
    let answer: TunnelAnswer | null
    try {
      const { data } = await bus.request(rpcSubject(origin), Buffer.from(JSON.stringify(request)), timeoutMs)
      answer = decodeAnswer(data)
    } catch (error) {
      return give(reasonOf(error))
    }
    if (answer === null) return give('it answers through the bus, but does not speak edgedeck')
    if (!answer.ok) return give(`it takes no tunnel: ${answer.msg}`)
    const into = tunnelInSubject(origin, session)
    const opened = new Tunnel({
      publish: (message) => bus.publish(into, message),
      peerWindowBytes: answer.windowBytes,
    })
    tunnel = opened
    this.#tunnels.add(opened)
    opened.on('error', () => undefined)
    opened.once('close', () => {
      unhear()
      this.#tunnels.delete(opened)
    })
    for (const data of early) opened.hear(data)
    if (this.#bus !== bus) opened.destroy(new Error('the bus was lost'))
    return opened
  }

  #up(bus: Bus): (reason: string) => void {
    this.#bus = bus
    const sites = this.#options.sites()
    for (const site of sites === '*' ? [null] : sites) {
      bus.subscribe(statusSubject(site, null), ({ subject, data }) => this.#hear(subject, data))
    }
    // Who is there says so now, and not only at the next heartbeat.
    bus.publish(ROLL_CALL_SUBJECT, new Uint8Array())
    for (const tell of [...this.#waiting]) tell()
    return (reason) => {
      this.#bus = null
      this.#fail(`the bus was lost: ${reason}`)
      const standing = this.#tunnels
      this.#tunnels = new Set()
      for (const tunnel of standing) tunnel.destroy(new Error(reason))
    }
  }

  #fail(reason: string): void {
    if (this.#fault === reason) return
    this.#fault = reason
    for (const tell of this.#faultListeners) tell(reason)
  }

  #hear(subject: string, data: Uint8Array): void {
    const origin = readStatusSubject(subject)
    const heartbeat = origin === null ? null : decodeHeartbeat(data)
    if (origin === null || heartbeat === null) return
    for (const listener of this.#listeners) listener(origin, heartbeat, data.length)
  }
}

function decodeAnswer(data: Uint8Array): TunnelAnswer | null {
  try {
    const parsed = tunnelAnswerSchema.safeParse(JSON.parse(Buffer.from(data).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Why a request found no answer, for an operator; the client names such faults by class. */
function reasonOf(error: unknown): string {
  const name = error instanceof Error ? `${error.name} ${error.message}` : String(error)
  if (/no ?responders/i.test(name)) return 'no node of that name listens on the bus'
  if (/timeout/i.test(name)) return 'the node does not answer on the bus'
  if (/permission/i.test(name)) return 'the bus does not let you ask this node: its site is not one of yours'
  return error instanceof Error ? error.message : String(error)
}
