import type { Duplex } from 'node:stream'
import { type Origin, rpcSubject, tunnelInSubject, tunnelOutSubject } from '../../protocol/bus-subjects.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { TUNNEL_WINDOW_BYTES, type TunnelAnswer, type TunnelOpen, tunnelOpenSchema } from '../../protocol/tunnel.ts'
import type { Bus, BusMessage } from '../../tunnel/bus.ts'
import { Tunnel } from '../../tunnel/tunnel.ts'
import type { LiveLog } from '../live/contract.ts'
import { FrameRate } from '../live/frame-rate.ts'

/** What becomes of tunnels that are opened to this node. */
export interface TunnelDoorOptions {
  readonly origin: Origin
  /** Where a tunnel's bytes go: mutual TLS, which finds out who is there. */
  readonly take: (stream: Duplex) => void
  /** Tunnels at a time, those included that nobody has proved anything in. */
  readonly maxTunnels: number
  readonly log: LiveLog
  readonly monotonicMs?: () => number
}

type Refusal = Extract<TunnelAnswer, { readonly ok: false }>

/** Openings a second; a fleet's consoles that all come back at once are told to try again. */
const OPENS_PER_SEC = 10
const MAX_OPEN_BYTES = 1024
/**
 * Only there an answer goes. A node may write its own subjects, so whoever could choose where it answers could have it
 * write among its own records.
 */
const INBOX = '_INBOX.'

/**
 * Where consoles knock that reach this node through the bus (requirement S1, architecture decision 14). An opening says
 * nothing of who is there and costs little; at the end of a tunnel the same TLS is spoken as on a connection, and its
 * own timeouts end what is never finished.
 */
export class TunnelDoor {
  readonly #options: TunnelDoorOptions
  readonly #rate: FrameRate
  readonly #nowMs: () => number
  readonly #tunnels = new Map<string, Tunnel>()
  #refusedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: TunnelDoorOptions) {
    this.#options = options
    this.#nowMs = options.monotonicMs ?? (() => performance.now())
    this.#rate = new FrameRate(OPENS_PER_SEC, this.#nowMs())
  }

  /** Tunnels that stand. */
  get count(): number {
    return this.#tunnels.size
  }

  /** Take openings from a bus; the answer ends what came over it. */
  serve(bus: Bus): (reason: string) => void {
    const { origin } = this.#options
    const own = new Set<Tunnel>()
    bus.subscribe(rpcSubject(origin), (message) => this.#knock(bus, message, own))
    bus.subscribe(tunnelInSubject(origin, '*'), ({ subject, data }) => {
      // What nobody opened, or what has broken meanwhile, is nobody's.
      this.#tunnels.get(subject.slice(subject.lastIndexOf('.') + 1))?.hear(data)
    })
    return (reason) => {
      for (const tunnel of own) tunnel.destroy(new Error(reason))
    }
  }

  #knock(bus: Bus, { data, reply }: BusMessage, own: Set<Tunnel>): void {
    if (reply?.startsWith(INBOX) !== true) return
    const answer = (said: TunnelAnswer): void => {
      try {
        bus.publish(reply, Buffer.from(JSON.stringify(said)))
      } catch {
        // The bus is gone, and with it whoever asked.
      }
    }
    const open = this.#admit(data)
    if (!open.ok) {
      this.#tellRefusal(open.msg)
      answer(open)
      return
    }
    const tunnel = this.#make(bus, open.request)
    own.add(tunnel)
    tunnel.once('close', () => own.delete(tunnel))
    answer({ ok: true, windowBytes: TUNNEL_WINDOW_BYTES })
    this.#options.take(tunnel)
  }

  /** What is asked for, or why it is not given. */
  #admit(data: Uint8Array): { readonly ok: true; readonly request: TunnelOpen } | Refusal {
    if (!this.#rate.take(this.#nowMs())) return refusal('OVERLOADED', 'more tunnels are opened than this node takes')
    const request = decodeOpen(data)
    if (request === null) return refusal('FRAME_INVALID', 'the request is not of the protocol')
    if (this.#tunnels.has(request.session)) return refusal('FRAME_INVALID', 'a session has one tunnel')
    if (this.#tunnels.size >= this.#options.maxTunnels) {
      return refusal('OVERLOADED', 'as many tunnels are open as this node takes')
    }
    return { ok: true, request }
  }

  #make(bus: Bus, { session, who, windowBytes }: TunnelOpen): Tunnel {
    const out = tunnelOutSubject(this.#options.origin, who, session)
    const tunnel = new Tunnel({ publish: (message) => bus.publish(out, message), peerWindowBytes: windowBytes })
    this.#tunnels.set(session, tunnel)
    tunnel.on('error', (error) => this.#options.log.info('rpc.tunnel_ended', error.message, { who }))
    tunnel.once('close', () => this.#tunnels.delete(session))
    return tunnel
  }

  /** Once a second at most: who floods must not fill the log too. */
  #tellRefusal(msg: string): void {
    const now = this.#nowMs()
    if (now - this.#refusedAtMs < 1000) return
    this.#refusedAtMs = now
    this.#options.log.warn('rpc.refused', msg, { tunnels: this.#tunnels.size })
  }
}

function refusal(code: ErrorCode, msg: string): Refusal {
  return { ok: false, code, msg }
}

function decodeOpen(data: Uint8Array): TunnelOpen | null {
  if (data.length > MAX_OPEN_BYTES) return null
  try {
    const parsed = tunnelOpenSchema.safeParse(JSON.parse(Buffer.from(data).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
