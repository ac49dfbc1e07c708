import { EdgeError } from '../../protocol/errors.ts'
import type { CommandResult, JsonValue } from '../live/contract.ts'

/** Arguments of a command as they came: any JSON. */
export type CommandArgs = Readonly<Record<string, JsonValue>>

/** Carries out one verb; throws EdgeError (`COMMAND_REFUSED`) that the console then sees. */
export type CommandHandler = (args: CommandArgs) => CommandResult | Promise<CommandResult>

/** A command that is not carried out, with what to do instead. */
export function refused(message: string, next: string): EdgeError {
  return new EdgeError('COMMAND_REFUSED', { message, next: [next] })
}
