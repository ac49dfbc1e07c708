import { digestOf } from '../../identity/signing.ts'
import type { AuditEntry } from '../../protocol/audit.ts'
import { PICTURE_VERB, SESSION_VERB } from '../../protocol/audit.ts'
import { auditArgs } from '../../protocol/audit-args.ts'
import type { Json } from '../../protocol/canonical-json.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CommandFrame } from '../../protocol/frames.ts'
import type { CommandArgs, CommandWitness, Order, OrderOutcome } from '../commands/contract.ts'
import type { Peer, SessionWitness, Stranger } from '../live/contract.ts'
import type { AuditLog } from './audit-log.ts'
import type { SessionBook } from './session-book.ts'
import { type SumLimits, Summed } from './summed.ts'
import { whoOfAuthor, whoOfPeer, whoOfStranger } from './who.ts'

/** Somebody who may do nothing fills some 10 MB a day at most with it. */
const REFUSALS: SumLimits = { burst: 20, perSec: 0.1, everyMs: 60_000, kinds: 8 }
/** Consoles come and go, and many at once when a link was down. */
/** An operator who looks through pictures has some ten a minute each for itself. */
const PICTURES: SumLimits = { burst: 100, perSec: 0.2, everyMs: 60_000, kinds: 32 }
const SESSIONS: SumLimits = { burst: 200, perSec: 0.5, everyMs: 60_000, kinds: 32 }
const MAX_MSG_CHARS = 500

/** What an {@link AuditWitness} is made of. */
export interface AuditWitnessOptions {
  readonly log: Pick<AuditLog, 'write' | 'keep'>
  readonly sessions: SessionBook
  /** Unix ms, by the clock of all records of the node: what is read by time is found beside them. */
  readonly nowMs: () => number
}

/**
 * Writes down who acts on the node. What changes something is on the disk before it is done, or it is not done; what
 * became of it is written when that is known, what was refused, who came and went, and who was given a picture as well, a flood summed up. Local
 * sessions have no name worth a record; their commands are written all the same.
 */
export class AuditWitness implements CommandWitness, SessionWitness {
  readonly #options: AuditWitnessOptions
  readonly #refusals: Summed
  readonly #comings: Summed
  readonly #pictures: Summed
  readonly #begun = new WeakMap<Order, { readonly n: number; readonly atMs: number }>()

  constructor(options: AuditWitnessOptions) {
    this.#options = options
    this.#refusals = new Summed(REFUSALS, (entry) => options.log.keep(entry))
    this.#comings = new Summed(SESSIONS, (entry) => options.log.keep(entry))
    this.#pictures = new Summed(PICTURES, (entry) => options.log.keep(entry))
  }

  async intended(order: Order): Promise<void> {
    const atMs = performance.now()
    const n = await this.#options.log.write({ ...this.#about(order), phase: 'intent', ...argsOf(order.args) })
    this.#begun.set(order, { n, atMs })
    this.#options.sessions.acted(order.peer, { verb: order.verb, by: order.by.name })
  }

  async ended(order: Order, outcome: OrderOutcome): Promise<void> {
    const begun = this.#begun.get(order)
    this.#options.log.keep({
      ...this.#about(order),
      phase: 'outcome',
      ...(begun === undefined
        ? {}
        : { of: begun.n, duration_ms: Math.round((performance.now() - begun.atMs) * 10) / 10 }),
      ...(outcome.ok ? { code: 'OK' } : failureOf(outcome.error)),
    })
  }

  refused(peer: Peer, { verb, args, envelope }: CommandFrame, error: EdgeError): void {
    this.#refusals.take({
      timestamp: this.#now(),
      phase: 'refused',
      verb: verb.slice(0, 64),
      ...argsOf(args as CommandArgs),
      ...(envelope === undefined ? {} : { nonce: envelope.nonce }),
      ...(envelope?.why === undefined ? {} : { why: envelope.why }),
      who: whoOfPeer(peer),
      route: peer.route,
      address: peer.address,
      ...failureOf(error),
    })
  }

  opened(peer: Peer): { readonly key: number; closed(): void } {
    const { sessions } = this.#options
    const key = sessions.open(peer)
    const atMs = performance.now()
    this.#tell(peer, { phase: 'opened' })
    return {
      key,
      closed: () => {
        sessions.close(key)
        this.#tell(peer, { phase: 'closed', duration_ms: Math.round(performance.now() - atMs) })
      },
    }
  }

  notLetIn({ route, address, certificate }: Stranger, why: string): void {
    this.#refusals.take({
      timestamp: this.#now(),
      phase: 'refused',
      verb: SESSION_VERB,
      who: whoOfStranger(certificate),
      route,
      address,
      code: 'PEER_REFUSED',
      msg: why.slice(0, MAX_MSG_CHARS),
    })
  }

  fetched(peer: Peer, seq: number, refusal: EdgeError | null): void {
    const sums = refusal === null ? this.#pictures : this.#refusals
    sums.take({
      timestamp: this.#now(),
      phase: refusal === null ? 'outcome' : 'refused',
      verb: PICTURE_VERB,
      ...argsOf({ seq }),
      who: whoOfPeer(peer),
      route: peer.route,
      address: peer.address,
      ...(refusal === null ? { code: 'OK' } : failureOf(refusal)),
    })
  }

  /** Write the sums that wait. */
  stop(): void {
    this.#refusals.flush()
    this.#comings.flush()
    this.#pictures.flush()
  }

  #tell(peer: Peer, said: Pick<AuditEntry, 'phase' | 'duration_ms'>): void {
    if (peer.kind === 'local') return
    const { route, address } = peer
    this.#comings.take({ timestamp: this.#now(), verb: SESSION_VERB, who: whoOfPeer(peer), route, address, ...said })
  }

  #about({ verb, by, peer, envelope }: Order): Omit<AuditEntry, 'phase'> {
    const isOwn = by.kind === peer.kind && by.name === (peer.kind === 'local' ? 'local' : peer.name)
    return {
      timestamp: this.#now(),
      verb,
      ...(envelope === null ? {} : { nonce: envelope.nonce }),
      ...(envelope?.why === undefined ? {} : { why: envelope.why }),
      who: whoOfAuthor(by),
      ...(isOwn ? {} : { carrier: whoOfPeer(peer) }),
      route: peer.route,
      address: peer.address,
    }
  }

  #now(): number {
    return Math.round(this.#options.nowMs())
  }
}

function argsOf(args: CommandArgs): Pick<AuditEntry, 'args' | 'args_digest'> {
  const told = auditArgs(args as Readonly<Record<string, Json>>) as NonNullable<AuditEntry['args']>
  try {
    return { args: told, args_digest: digestOf(args as Json) }
  } catch {
    // Too deep or not a number: then nobody could have signed it either.
    return { args: told }
  }
}

function failureOf(error: unknown): Pick<AuditEntry, 'code' | 'msg'> {
  const code = error instanceof EdgeError ? error.code : 'FAILED'
  return { code, msg: messageOf(error).slice(0, MAX_MSG_CHARS) }
}
