import { EdgeError } from '../protocol/errors.ts'
import type { InferenceService } from './inference/inference-service.ts'
import type { CommandResult, JsonValue } from './live/contract.ts'

const MAX_SLOW_MS = 60_000

/**
 * Carry out a console's verb. There is one so far, `fault.slow {ms}`, and only where `faults.allow` is set.
 * @throws EdgeError `COMMAND_REFUSED`
 */
export function runCommand(
  verb: string,
  args: Readonly<Record<string, JsonValue>>,
  node: { readonly service: InferenceService; readonly allowFaults: boolean },
): CommandResult {
  if (verb !== 'fault.slow') throw refused(`this node knows no verb "${verb}"`, 'the verbs are: fault.slow')
  if (!node.allowFaults)
    throw refused('this node takes no declared faults', 'set faults.allow to true, for drills only')
  const { ms } = args
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= MAX_SLOW_MS)) {
    throw refused('fault.slow needs "ms"', `give a number from 0 to ${MAX_SLOW_MS}`)
  }
  node.service.setFault({ slowMs: ms })
  return { slowMs: ms }
}

function refused(message: string, next: string): EdgeError {
  return new EdgeError('COMMAND_REFUSED', { message, next: [next] })
}
