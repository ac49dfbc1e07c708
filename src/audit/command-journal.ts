import { digestOf } from '../../identity/signing.ts'
import type { OperatorAuditEntry } from '../../protocol/audit.ts'
import { auditArgs } from '../../protocol/audit-args.ts'
import type { Json } from '../../protocol/canonical-json.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { CommandJournal, CommandOutcome, SentCommand } from '../link/link.ts'
import type { JournalFile } from './journal-file.ts'

const MAX_MSG_CHARS = 500

/** What a {@link OperatorJournal} is made of. */
export interface OperatorJournalOptions {
  /** The journal of whoever the operator is now. */
  readonly file: () => JournalFile
  /** Something was written that may be shipped. */
  readonly onWritten?: () => void
  /** An outcome could not be written; for people. */
  readonly onFault?: (msg: string) => void
  /** Wall clock, Unix ms. */
  readonly nowMs?: () => number
}

/** What this console is about to do to a node by itself. */
export interface BegunEntry {
  readonly verb: string
  readonly node: NonNullable<OperatorAuditEntry['node']>
  readonly args: Readonly<Record<string, Json>>
  /** Why, in the operator's words. */
  readonly why?: string
}

/** Something that was begun and written down. */
export interface BegunAct {
  /** Write what came of it: `OK` or an error code, a sentence, and what became known. Never throws. */
  ended(outcome: { readonly code: string; readonly msg?: string; readonly args?: Readonly<Record<string, Json>> }): void
}

/** Writes down what this console sends: before it goes, and what came of it. A command that cannot be written is not sent. */
export class OperatorJournal implements CommandJournal {
  readonly #options: OperatorJournalOptions
  readonly #sent = new WeakMap<SentCommand, { readonly file: JournalFile; readonly n: number; readonly atMs: number }>()
  #writing: Promise<void> = Promise.resolve()

  constructor(options: OperatorJournalOptions) {
    this.#options = options
  }

  async sending(command: SentCommand): Promise<void> {
    const file = this.#options.file()
    const atMs = performance.now()
    const args = command.args as Readonly<Record<string, Json>>
    const { chain } = await file.append({
      ...this.#about(command),
      phase: 'intent',
      args: auditArgs(args) as NonNullable<OperatorAuditEntry['args']>,
      args_digest: digestOf(args),
      ...(command.why === null ? {} : { why: command.why }),
    })
    this.#sent.set(command, { file, n: chain.n, atMs })
    this.#options.onWritten?.()
  }

  answered(command: SentCommand, outcome: CommandOutcome): void {
    const sent = this.#sent.get(command)
    if (sent === undefined) return
    const entry: OperatorAuditEntry = {
      ...this.#about(command),
      phase: 'outcome',
      of: sent.n,
      ...(outcome.ok ? { code: 'OK' } : { code: outcome.code, msg: outcome.message.slice(0, MAX_MSG_CHARS) }),
      duration_ms: Math.round(performance.now() - sent.atMs),
    }
    this.#write(sent.file, entry)
  }

  /**
   * Write down what this console itself is about to do to a node, such as to open a shell there. It must not be done when
   * this rejects.
   * @throws EdgeError `AUDIT_FAILING`
   */
  async begins(entry: BegunEntry): Promise<BegunAct> {
    const file = this.#options.file()
    const atMs = performance.now()
    const { verb, node } = entry
    const { chain } = await file.append({
      timestamp: this.#now(),
      phase: 'intent',
      ...entry,
      args: auditArgs(entry.args) as NonNullable<OperatorAuditEntry['args']>,
      args_digest: digestOf(entry.args),
    })
    this.#options.onWritten?.()
    return {
      ended: ({ code, msg, args }) =>
        this.#write(file, {
          timestamp: this.#now(),
          phase: 'outcome',
          verb,
          node,
          of: chain.n,
          code,
          ...(msg === undefined ? {} : { msg: msg.slice(0, MAX_MSG_CHARS) }),
          ...(args === undefined ? {} : { args: auditArgs(args) as NonNullable<OperatorAuditEntry['args']> }),
          duration_ms: Math.round(performance.now() - atMs),
        }),
    }
  }

  /** Write something that is no command to a node, such as a login, once it has happened. */
  happened(entry: Omit<OperatorAuditEntry, 'timestamp' | 'phase' | 'node'>): void {
    this.#write(this.#options.file(), { ...entry, timestamp: this.#now(), phase: 'outcome', node: null })
  }

  /** Resolves when what was told is on the disk, or was refused. */
  settled(): Promise<void> {
    return this.#writing
  }

  #write(file: JournalFile, entry: OperatorAuditEntry): void {
    this.#writing = this.#writing.then(async () => {
      try {
        await file.append(entry)
        this.#options.onWritten?.()
      } catch (error) {
        this.#options.onFault?.(error instanceof EdgeError ? error.toLine() : messageOf(error))
      }
    })
  }

  #about({
    key,
    node,
    verb,
    envelope,
  }: SentCommand): Pick<OperatorAuditEntry, 'timestamp' | 'verb' | 'node' | 'nonce'> {
    return {
      timestamp: this.#now(),
      verb,
      node: { key, ...(node === null ? {} : { site: node.site, name: node.name }) },
      ...(envelope === null ? {} : { nonce: envelope.nonce }),
    }
  }

  #now(): number {
    return Math.round(this.#options.nowMs?.() ?? Date.now())
  }
}
