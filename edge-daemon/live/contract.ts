import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Verdict } from '../../identity/verify.ts'
import type { EdgeError } from '../../protocol/errors.ts'
import type { FrameOf, READ_TOPICS, StatusFrame, Topic } from '../../protocol/frames.ts'
import type { Rights } from '../../protocol/rights.ts'

/** Topics whose rows are kept records; `status` is made anew at every tick. */
export type RowTopic = Exclude<Topic, 'status'>
/** Topics whose kept records can be read back; `status` are the kept samples. */
export type ReadTopic = (typeof READ_TOPICS)[number]

/** One kept record as live sessions see it; `line` is the whole record as JSON on one line. A `StoredRecord` fits. */
export interface LiveRow {
  /** 0 for a record that the disk refused to keep. */
  readonly seq: number
  /** Unix ms. */
  readonly timestamp: number
  readonly line: string
}

/** How a peer's bytes come: straight to the control listener, or through the bus. */
export type Route = 'direct' | 'nats'

/** Who is at the other end of a session. */
export type Peer =
  /** On this machine and over the plain loopback listener of a node without an identity. */
  | { readonly kind: 'local'; readonly rights: Rights; readonly route: 'direct'; readonly address: string }
  | {
      readonly kind: 'operator' | 'controller' | 'service'
      readonly name: string
      readonly rights: Rights
      readonly certificate: X509Certificate
      readonly route: Route
      /** Where it comes from, for people: an IP address, or the bus. */
      readonly address: string
    }

/** Who this node is to those that connect, and whom it believes. */
export interface ControlIdentity {
  /** PEM texts of now; they change when the certificate is renewed. */
  tls(): { readonly key: string; readonly cert: string; readonly ca: string }
  /** Whom the certificate of a finished handshake names; a string says why it is refused. */
  judge(socket: TLSSocket, from: { readonly route: Route; readonly address: string }): Peer | string
  /** Called when the certificate was renewed or somebody lost rights; returns how to stop listening. */
  onChange(listener: () => void): () => void
  /** Unix ms by the clock that the node trusts. */
  nowMs(): number
  /**
   * Whom a chain names that came with something signed (leaf first), judged as a client's at {@link nowMs}, or as of
   * `atMs`; whom the fleet has shut out since counts at no time.
   */
  judgeChain(chain: readonly X509Certificate[], atMs?: number): Verdict
}

/** A name of a peer for logs and messages. */
export function nameOf(peer: Peer): string {
  return peer.kind === 'local' ? 'local' : peer.name
}

/** Somebody who was not let in. */
export interface Stranger {
  readonly route: Route
  readonly address: string
  /** What it showed, which is not believed; null for none. */
  readonly certificate: X509Certificate | null
}

/** Who is told of sessions, and of the pictures that they are given: the audit. Nothing here throws. */
export interface SessionWitness {
  /** A session began; `key` is its name on this node, `closed` is called at its end. */
  opened(peer: Peer): { readonly key: number; closed(): void }
  /** Somebody was refused at the door, and why. */
  notLetIn(stranger: Stranger, why: string): void
  /** A picture of a device is on its way to somebody, or was refused and why. */
  fetched(peer: Peer, seq: number, refusal: EdgeError | null): void
}

/** One page of kept rows; the daemon maps `topic` to record classes and asks its store. Times are Unix ms, both ends included. */
export interface ReadRequest {
  readonly topic: ReadTopic
  readonly fromMs?: number
  readonly toMs?: number
  /** Only rows with `seq > afterSeq`. */
  readonly afterSeq?: number
  /** Only rows with `seq ≤ throughSeq`. */
  readonly throughSeq?: number
  readonly limit: number
  readonly maxBytes: number
  readonly newestFirst: boolean
}

/** A picture that is kept. */
export interface KeptPicture {
  readonly contentType: string
  readonly sizeBytes: number
  readonly base64: string
}

/** What a status frame says besides its envelope. `inference.latency` is cumulative here and `windowMs` is not looked at. */
export type StatusBody = Omit<StatusFrame, 't' | 'id' | 'n' | 'at' | 'session'>

/** Result of a command, any JSON. */
export type CommandResult = FrameOf<{ t: 'done'; result: Record<string, JsonValue> }, 'done'>['result']
/** Any JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }

/** Where the room's own events go. */
export interface LiveLog {
  info(event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void
  warn(event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void
}

/** The two clocks of a node: `wallMs` is Unix ms and may jump, `monotonicMs` only rises. */
export interface LiveClock {
  wallMs(): number
  monotonicMs(): number
}

/** The clocks of this machine. */
export const SYSTEM_LIVE_CLOCK: LiveClock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

/**
 * The part of the uplink cap that consoles may use. What is made anew (`status`) or gathers (`rows`) asks whether it may
 * go now; answers to reads wait for their turn; everything says what it sent.
 */
export interface TelemetryPace {
  /** Rows frames are cut at about this size, so that none of them costs seconds of the cap. */
  readonly rowsFrameBytes: number
  /** Rows that wait to be told are held up to this size; what comes beyond is told as missed. */
  readonly heldBytes: number
  /** A status that was refused goes before any rows. */
  mayTell(what: 'status' | 'rows'): boolean
  /** How long so many bytes take of what consoles are sure to have, ms; 0 without a cap. */
  spacingMs(bytes: number): number
  /** So many bytes were handed to a socket without a turn. */
  told(bytes: number): void
  /** Resolves when so many bytes may go; false once the signal is aborted. */
  turn(bytes: number, signal: AbortSignal): Promise<boolean>
}

/** Bounds that keep a session small and a node safe whatever a console does. */
export const LIVE_LIMITS = {
  helloTimeoutMs: 5000,
  /** A session that sent nothing for this long is dropped. */
  silenceMs: 30_000,
  probeEveryMs: 5000,
  subscriptions: 32,
  /** Backlogs and commands of one session that run at the same time. */
  jobs: 4,
  /** Reads and fetches of one session under way, those that wait for credit included: every topic and a picture or two. */
  answers: 8,
  credits: 10_000,
  /** Over this many unsent bytes a session counts as without credit. */
  slowBytes: 1024 * 1024,
  /** Over this many it is dropped: it does not even take the answers to its own frames. */
  deadBytes: 4 * 1024 * 1024,
  /** Frames that are not of the protocol before the session is closed. */
  invalidFrames: 10,
  /** Rows frames are cut at about this size. */
  rowsFrameBytes: 64 * 1024,
  rowsPerFrame: 1000,
  /** Live rows of a subscription that wait for the link are held up to this size; they are shared by all who wait. */
  heldBytes: 512 * 1024,
  /** Time that rows are gathered before they are sent, so at most 20 frames a second and subscription. */
  gatherMs: 50,
  closeGraceMs: 1000,
} as const

/** No cap. */
export const FREE_PACE: TelemetryPace = {
  rowsFrameBytes: LIVE_LIMITS.rowsFrameBytes,
  heldBytes: LIVE_LIMITS.heldBytes,
  mayTell: () => true,
  spacingMs: () => 0,
  told: () => {},
  turn: async () => true,
}
