import type { ErrorCode } from '../../protocol/errors.ts'
import type { RolloutOutcome } from '../commands/rollout.ts'
import { isOk, type NodeOutcome } from '../shell/fan-out-outcome.ts'

/** A node or region did not answer. */
export const EXIT_UNREACHABLE = 1
/** Of a comparison: of a node with the cloud, of journals with each other. */
export const EXIT_OF_COMPARISON = { sound: 0, unanswered: EXIT_UNREACHABLE, faulty: 3 } as const
/** Of `edgedeck doctor`. */
export const EXIT_OF_DIAGNOSIS = { fine: 0, untested: EXIT_UNREACHABLE, faulty: 3 } as const
/** Of `edgedeck model list`. */
export const EXIT_OF_PACKAGES = { whole: 0, damaged: 3 } as const
/** A command that was run on nodes ended with another exit code than 0 on some. */
export const EXIT_COMMAND_FAILED = 4
/** Of `edgedeck exec`: where a node was not reached, lost, too late or left out, that counts more than a command that failed. */
export function exitOfExec(outcomes: readonly Pick<NodeOutcome, 'end'>[]): number {
  if (outcomes.every(isOk)) return 0
  return outcomes.every(({ end }) => end.kind === 'exited') ? EXIT_COMMAND_FAILED : EXIT_UNREACHABLE
}
/** Of `edgedeck rollout`: it was taken back, or is done but for some nodes. */
export const EXIT_TAKEN_BACK = 5
/** Of `edgedeck rollout`: it stands, or goes on without whoever waited for it. */
export const EXIT_STANDS = 6
/** Of `edgedeck rollout`, by how it went. */
export const EXIT_OF_ROLLOUT: Readonly<Record<RolloutOutcome, number>> = {
  told: 0,
  done: 0,
  incomplete: EXIT_TAKEN_BACK,
  reverted: EXIT_TAKEN_BACK,
  stands: EXIT_STANDS,
  runs: EXIT_STANDS,
}
/** A shell whose connection broke off or was left, as ssh has it: all below may be of the shell itself. */
export const EXIT_LOST = 255
/** A fault of edgedeck itself. */
export const EXIT_BUG = 70
/** Of errors that end a command; {@link EXIT_UNREACHABLE} for the rest. */
export const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  USAGE: 2,
  NODE_UNREACHABLE: EXIT_UNREACHABLE,
  CONFIG_INVALID: 78,
  CONFIG_UNREADABLE: 78,
  CONFIG_UNSERVABLE: 78,
  TOOL_MISSING: 69,
  PKI_UNUSABLE: 78,
  KUBE_CONFIG_UNUSABLE: 78,
  PORT_IN_USE: 69,
  CONTROLLER_FAILING: 69,
  CONTROLLER_LOCKED: 69,
  OUTPUT_REFUSED: 69,
  RECORDING_FAILING: 69,
}
