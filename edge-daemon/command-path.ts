import { AuditLog } from './audit/audit-log.ts'
import { AuditWitness } from './audit/audit-witness.ts'
import { SessionBook } from './audit/session-book.ts'
import { CommandDesk, type CommandDeskOptions } from './commands/command-desk.ts'
import { commandsBefore } from './commands/commands-before.ts'
import type { CommandTable } from './commands/contract.ts'
import { shellCommands } from './commands/shells.ts'
import type { Store } from './store/store.ts'

/** Who wants something of the node, from the audit that it is written into to the desk that lets it through. */
export interface CommandPath {
  readonly audit: AuditLog
  readonly sessions: SessionBook
  readonly witness: AuditWitness
  readonly desk: CommandDesk
}

/** What carries out the verbs that the path does not carry out itself. */
export type NodeVerbs = Omit<CommandDeskOptions['table'], keyof ReturnType<typeof shellCommands>> & CommandTable

/**
 * Make the way that commands take. What is begun goes to `begin`, which ends it in reverse.
 * @throws EdgeError `STORE_FAILING` when the store cannot be read
 */
export async function makeCommandPath(
  store: Store,
  options: Omit<CommandDeskOptions, 'witness' | 'before' | 'table'> & { readonly table: NodeVerbs },
  begin: (part: { start(): unknown; stop(): unknown }) => Promise<void>,
): Promise<CommandPath> {
  const audit = new AuditLog({
    store,
    nodeName: options.node.name,
    onFault: (msg) => options.log.warn('audit.failing', `no command is carried out: ${msg}`),
  })
  await begin(audit)
  const sessions = new SessionBook()
  const witness = new AuditWitness({ log: audit, sessions, nowMs: () => options.identity?.nowMs() ?? Date.now() })
  await begin({ start: () => undefined, stop: () => witness.stop() })
  const table = { ...options.table, ...shellCommands(sessions) }
  const desk = new CommandDesk({ ...options, table, witness, before: await commandsBefore(store) })
  return { audit, sessions, witness, desk }
}
