import type { InferenceService } from '../inference/inference-service.ts'
import { type CommandTable, refused } from './contract.ts'

const MAX_SLOW_MS = 60_000

/** `fault.slow {ms}`: a declared fault, only where `faults.allow` is set. */
export function faultCommands(node: {
  readonly service: Pick<InferenceService, 'setFault'>
  readonly allowFaults: boolean
}) {
  return {
    'fault.slow': ({ ms }) => {
      if (!node.allowFaults)
        throw refused('this node takes no declared faults', 'set faults.allow to true, for drills only')
      if (typeof ms !== 'number' || !(ms >= 0 && ms <= MAX_SLOW_MS)) {
        throw refused('fault.slow needs "ms"', `give a number from 0 to ${MAX_SLOW_MS}`)
      }
      node.service.setFault({ slowMs: ms })
      return { slowMs: ms }
    },
  } satisfies CommandTable
}
