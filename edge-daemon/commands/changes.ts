import type { z } from 'zod'
import { CHANGE_ARGS, type ChangeVerb } from '../../protocol/change.ts'
import type { ChangeKeeper } from '../changes/change-keeper.ts'
import type { Step } from '../changes/slot-steps.ts'
import type { CommandResult } from '../live/contract.ts'
import { type CommandArgs, type CommandTable, refused } from './contract.ts'

/** The verbs of changes: each answers `{change}`, the change of its rollout, or null where the node carries nothing of it. */
export function changeCommands(changes: Pick<ChangeKeeper, 'step'>) {
  const take = (verb: ChangeVerb) => async (args: CommandArgs) => {
    // The schema is the one of the verb, which a type over all verbs cannot say.
    const step = { verb, args: parsed(verb, CHANGE_ARGS[verb], args) } as Step
    return { change: await changes.step(step) } as CommandResult
  }
  return {
    'change.stage': take('change.stage'),
    'change.shadow': take('change.shadow'),
    'change.activate': take('change.activate'),
    'change.confirm': take('change.confirm'),
    'change.revert': take('change.revert'),
    'change.end': take('change.end'),
  } satisfies CommandTable
}

function parsed(verb: ChangeVerb, schema: z.ZodType, args: CommandArgs): unknown {
  const read = schema.safeParse(args)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const where = issue === undefined || issue.path.length === 0 ? '' : `"${issue.path.join('.')}": `
  throw refused(`${verb} is not understood: ${where}${issue?.message ?? ''}`, 'send it with a console of this version')
}
