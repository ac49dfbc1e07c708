import type { z } from 'zod'
import { DELIVERY_ARGS, type Taken } from '../../protocol/delivery.ts'
import type { LinkIntake } from '../delivery/link-intake.ts'
import { type CommandArgs, type CommandTable, refused } from './contract.ts'

/**
 * `package.offer {item, statementBytes}` and `package.put {digest, blob, offset, data}`: a console brings a package
 * (`protocol/delivery.ts`). Only the offer is signed and written to the audit; what is put is named by its content, and
 * taken from whoever offered it.
 */
export function packageCommands(intake: Pick<LinkIntake, 'offer' | 'put'>) {
  return {
    'package.offer': async (args, by) => asResult(await intake.offer(read('package.offer', args), by.name)),
    'package.put': async (args, by) => asResult(await intake.put(read('package.put', args), by.name)),
  } satisfies CommandTable
}

function asResult({ kept, have, wanted }: Taken) {
  return {
    kept,
    ...(have === undefined ? {} : { have }),
    ...(wanted === undefined ? {} : { wanted: wanted.map((one) => ({ ...one })) }),
  }
}

function read<V extends keyof typeof DELIVERY_ARGS>(verb: V, args: CommandArgs): z.infer<(typeof DELIVERY_ARGS)[V]> {
  const parsed = DELIVERY_ARGS[verb].safeParse(args)
  if (parsed.success) return parsed.data as z.infer<(typeof DELIVERY_ARGS)[V]>
  const [issue] = parsed.error.issues
  const where = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`
  throw refused(`the arguments of ${verb} are not as they must be${where}`, 'send it with edgedeck model push')
}
