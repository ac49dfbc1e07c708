import { ENVELOPE_LIFE_MS, ENVELOPE_SKEW_MS } from '../../protocol/envelope.ts'
import { EdgeError, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import type { CommandFrame } from '../../protocol/frames.ts'
import { isVerb, missingRight, VERBS, type Verb } from '../../protocol/rights.ts'
import {
  type CommandResult,
  type ControlIdentity,
  type LiveClock,
  type LiveLog,
  nameOf,
  type Peer,
  SYSTEM_LIVE_CLOCK,
} from '../live/contract.ts'
import type { commandsBefore } from './commands-before.ts'
import {
  type Author,
  type CommandArgs,
  type CommandHandler,
  type CommandWitness,
  type Order,
  refused,
} from './contract.ts'
import { judgeEnvelope } from './judge-envelope.ts'
import { judgeMandate } from './judge-mandate.ts'
import { NonceBook } from './nonce-book.ts'

/** What commands are let through by, and done with. */
export interface CommandDeskOptions {
  readonly node: { readonly site: string; readonly name: string }
  readonly table: Readonly<Record<Verb, CommandHandler>>
  /** Null on a node that has not joined: then everybody is local. */
  readonly identity: Pick<ControlIdentity, 'nowMs' | 'judgeChain'> | null
  readonly log: LiveLog
  /** Told of every command that changes something. */
  readonly witness?: CommandWitness
  /** What was let through before the start, newest first. */
  readonly before?: Awaited<ReturnType<typeof commandsBefore>>
  readonly clock?: LiveClock
}

/**
 * Where consoles' verbs arrive (requirement S3): who wants it, may they, is it signed and new; then the witness, the
 * effect, the witness. The console's own check is a courtesy; this one counts.
 */
export class CommandDesk {
  readonly #options: CommandDeskOptions
  readonly #clock: LiveClock
  readonly #nonces = new NonceBook()
  readonly #startedMonotonicMs: number
  readonly #startedMs: number

  constructor(options: CommandDeskOptions) {
    this.#options = options
    this.#clock = options.clock ?? SYSTEM_LIVE_CLOCK
    this.#startedMonotonicMs = this.#clock.monotonicMs()
    this.#startedMs = options.identity?.nowMs() ?? this.#clock.wallMs()
    // None of them can be valid for longer than that, as far as the clock of then was the clock of now.
    const holdMs = ENVELOPE_LIFE_MS + ENVELOPE_SKEW_MS
    const time = {
      nowMs: this.#startedMs,
      monotonicMs: this.#startedMonotonicMs,
      expiresAt: this.#startedMs + holdMs,
      holdMs,
    }
    this.#nonces.recall(options.before ?? [], time)
  }

  /**
   * Let a verb through and carry it out.
   * @throws EdgeError `COMMAND_REFUSED`, `RIGHT_MISSING`, `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `COMMAND_EXPIRED`,
   * `COMMAND_REPLAYED`, `OVERLOADED`, or what the witness or the verb's handler refuses with.
   */
  async carryOut(peer: Peer, frame: CommandFrame): Promise<CommandResult> {
    const { log, witness, table } = this.#options
    let order: Order
    try {
      order = this.#letThrough(peer, frame)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      log.warn('command.refused', `${nameOf(peer)} may not run ${frame.verb}: ${error.message}`, {
        who: nameOf(peer),
        verb: frame.verb,
        code: error.code,
      })
      witness?.refused(peer, frame, error)
      throw error
    }
    if (!order.changes) return table[order.verb](order.args, order.by)
    await witness?.intended(order)
    try {
      const result = await table[order.verb](order.args, order.by)
      this.#done(order)
      await this.#told(order, witness?.ended(order, { ok: true, result }))
      return result
    } catch (error) {
      await this.#told(order, witness?.ended(order, { ok: false, error }))
      throw error
    }
  }

  #letThrough(peer: Peer, frame: CommandFrame): Order {
    const { verb } = frame
    if (!isVerb(verb)) {
      throw refused(`this node knows no verb "${verb}"`, `the verbs are: ${Object.keys(VERBS).join(', ')}`)
    }
    const need = VERBS[verb]
    const args = frame.args as CommandArgs
    const signed = need.changes && peer.kind !== 'local'
    // A controller hands on what others signed: their rights count, not its own.
    const by = signed && peer.kind === 'controller' ? null : asAuthor(peer)
    if (by !== null) this.#mustHaveRight(by, verb)
    if (!signed) return { verb, args, changes: need.changes, by: by ?? asAuthor(peer), peer, envelope: null }
    const isMandated = peer.kind === 'controller' && frame.envelope === undefined && 'mandated' in need
    return {
      verb,
      args,
      changes: need.changes,
      by: isMandated ? this.#mandator(verb, args) : this.#author(peer, frame, verb),
      peer,
      envelope: frame.envelope ?? null,
    }
  }

  /** Who gave a controller its mandate for this step. Steps may come again, so there is no nonce: the slot does each once. */
  #mandator(verb: Verb, args: CommandArgs): Author {
    const { node, identity } = this.#options
    if (identity === null) throw refusal('MANDATE_INVALID', 'this node is in no fleet', 'let it join first')
    const judgeChain: ControlIdentity['judgeChain'] = (chain, atMs) => identity.judgeChain(chain, atMs)
    const verdict = judgeMandate(verb, args, { node, nowMs: identity.nowMs(), judgeChain })
    if (!verdict.ok) throw refusal('MANDATE_INVALID', verdict.msg, verdict.next)
    return verdict.by
  }

  /** Who signed the command, once it is known to be theirs, allowed and new. */
  #author(peer: Exclude<Peer, { kind: 'local' }>, frame: CommandFrame, verb: Verb): Author {
    const { node, identity } = this.#options
    const { envelope } = frame
    if (envelope === undefined || identity === null) {
      throw refusal(
        'SIGNATURE_MISSING',
        `${verb} must be signed by who wants it`,
        'send it with edgedeck, and log in first',
      )
    }
    const nowMs = identity.nowMs()
    const monotonicMs = this.#clock.monotonicMs()
    // The trusted clock may be put right after the start: backwards, and what it said then means nothing any more.
    const byUptimeMs = nowMs - (monotonicMs - this.#startedMonotonicMs)
    const startedMs = nowMs < this.#startedMs ? byUptimeMs : Math.max(this.#startedMs, byUptimeMs)
    const judgeChain: ControlIdentity['judgeChain'] = (chain) => identity.judgeChain(chain)
    const verdict = judgeEnvelope(frame, envelope, peer, { node, nowMs, startedMs, judgeChain })
    if (!verdict.ok) throw refusal(verdict.code, verdict.msg, verdict.next)
    this.#mustHaveRight(verdict.by, verb)
    const { nonce, expiresAt } = envelope
    const holdMs = expiresAt - nowMs + ENVELOPE_SKEW_MS
    const claim = this.#nonces.claim(verdict.by.name, nonce, { nowMs, monotonicMs, expiresAt, holdMs })
    if (claim === 'seen')
      throw refusal('COMMAND_REPLAYED', 'this very command came before', 'send it anew if it is wanted twice')
    if (claim === 'full') throw refusal('OVERLOADED', 'too many commands came in the last minutes', 'wait some minutes')
    return verdict.by
  }

  #mustHaveRight({ name, rights }: Author, verb: Verb): void {
    const missing = missingRight(rights, VERBS[verb], this.#options.node.site)
    if (missing === null) return
    throw refusal(
      'RIGHT_MISSING',
      `${verb} needs ${missing}, which ${name} has not`,
      'ask an admin of the fleet for it',
    )
  }

  #done({ verb, args, by, peer }: Order): void {
    const through = by.name === nameOf(peer) ? {} : { through: nameOf(peer) }
    const fields = { who: by.name, verb, args: JSON.stringify(args), ...through }
    this.#options.log.warn('command.done', `${by.name} ran ${verb}`, fields)
  }

  async #told(order: Order, telling: Promise<void> | undefined): Promise<void> {
    try {
      await telling
    } catch (error) {
      this.#options.log.warn('command.outcome_untold', messageOf(error), { verb: order.verb, who: order.by.name })
    }
  }
}

function asAuthor(peer: Peer): Author {
  const certificate = peer.kind === 'local' ? null : peer.certificate
  return { kind: peer.kind, name: nameOf(peer), rights: peer.rights, certificate }
}

function refusal(code: ErrorCode, message: string, next: string): EdgeError {
  return new EdgeError(code, { message, next: [next] })
}
