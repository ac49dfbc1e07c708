import type { X509Certificate } from 'node:crypto'
import type { Envelope } from '../../protocol/envelope.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { CommandFrame } from '../../protocol/frames.ts'
import type { Rights, Verb } from '../../protocol/rights.ts'
import type { CommandResult, JsonValue, Peer } from '../live/contract.ts'

/** Arguments of a command as they came: any JSON. */
export type CommandArgs = Readonly<Record<string, JsonValue>>

/** Carries out one verb for whoever wants it; throws EdgeError (`COMMAND_REFUSED`) that the console then sees. */
export type CommandHandler = (args: CommandArgs, by: Author) => CommandResult | Promise<CommandResult>

/** Verbs of one part of a node and what carries each out. */
export type CommandTable = Readonly<Partial<Record<Verb, CommandHandler>>>

/** Who wants a verb done: who signed it, or whose session it is where nothing has to be signed. */
export interface Author {
  readonly kind: Peer['kind']
  /** `local` for who comes over plain loopback. */
  readonly name: string
  readonly rights: Rights
  /** Null for `local`. */
  readonly certificate: X509Certificate | null
}

/** A verb that somebody wants done and may have done. */
export interface Order {
  readonly verb: Verb
  readonly args: CommandArgs
  /** Whether it changes something. */
  readonly changes: boolean
  readonly by: Author
  /** Whose session it came over: the author's own, or of a controller that hands it on. */
  readonly peer: Peer
  /** As it was signed; null where nothing has to be. */
  readonly envelope: Envelope | null
}

/** What became of an order. */
export type OrderOutcome =
  | { readonly ok: true; readonly result: CommandResult }
  | { readonly ok: false; readonly error: unknown }

/** Who is told of every command that changes something: the audit. */
export interface CommandWitness {
  /** Before the effect. When it rejects, nothing is done and the console sees its error. */
  intended(order: Order): Promise<void>
  /** After the effect, or when it failed. When it rejects, the log says so; the answer stays what it is. */
  ended(order: Order, outcome: OrderOutcome): Promise<void>
  /** A command that was not let through, whoever sent it; what is in the frame was not verified. */
  refused(peer: Peer, frame: CommandFrame, error: EdgeError): void
}

/** A command that is not carried out, with what to do instead. */
export function refused(message: string, next: string): EdgeError {
  return new EdgeError('COMMAND_REFUSED', { message, next: [next] })
}
