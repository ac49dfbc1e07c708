import type { CommandResult } from '../live/contract.ts'
import { type CommandArgs, type CommandHandler, refused } from './contract.ts'

/** Every verb of a node and what carries it out. */
export type CommandTable = Readonly<Record<string, CommandHandler>>

/**
 * Carry out a console's verb.
 * @throws EdgeError `COMMAND_REFUSED` for a verb that is not in the table, or from its handler.
 */
export async function runCommand(table: CommandTable, verb: string, args: CommandArgs): Promise<CommandResult> {
  const handler = Object.hasOwn(table, verb) ? table[verb] : undefined
  if (handler === undefined) {
    throw refused(`this node knows no verb "${verb}"`, `the verbs are: ${Object.keys(table).join(', ')}`)
  }
  return handler(args)
}

/** Whether a verb only asks: a console may do so every second, and nobody needs to read of it in the log. */
export function isQuestion(verb: string): boolean {
  return verb.endsWith('.status')
}
