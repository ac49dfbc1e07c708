import type { BegunAct, OperatorJournal } from '../audit/command-journal.ts'
import { withoutSecrets } from './redactor.ts'

/** A program on another machine as the operator's journal tells of it. */
export interface RemoteAct {
  /** An interactive shell, or a command without a terminal. */
  readonly verb: 'shell' | 'exec'
  /** The operator's word for the node, and what it is called where that is known. */
  readonly node: { readonly key: string; readonly site?: string; readonly name?: string }
  readonly how: 'ssh' | 'pod'
  /** `mia@10.0.0.4:22`, `vision/camera-7 (app)`. */
  readonly where: string
  /** The command of an `exec`; what looks like a secret in it is not written down. */
  readonly command?: string
  /** Path of the recording; absent where nothing is recorded. */
  readonly recording?: string
  readonly why: string | null
}

/** What came of it. */
export interface RemoteActOutcome {
  /** `OK` when the program ran and ended, whatever its exit code; else an error code. */
  readonly code: string
  /** What went wrong, in one sentence. */
  readonly msg?: string
  /** Exit code of the program, absent when nobody knows it; with the signal that ended it. */
  readonly exit?: number
  readonly signal?: string
  /** Bytes that the program wrote and took. */
  readonly outBytes?: number
  readonly inBytes?: number
  /** SHA-256 of the recording, hex, and bytes of output that are not in it. */
  readonly sha256?: string
  readonly unrecordedBytes?: number
}

/** An act that is written down. */
export interface WrittenAct {
  /** Write what came of it. Never throws. */
  ended(outcome: RemoteActOutcome): void
}

/**
 * Write down that a program is about to be run on another machine (requirement X3). It must not be run when this rejects.
 * @throws EdgeError `AUDIT_FAILING`
 */
export async function writeAct(journal: Pick<OperatorJournal, 'begins'>, act: RemoteAct): Promise<WrittenAct> {
  const { verb, node, how, where, command, recording, why } = act
  const begun: BegunAct = await journal.begins({
    verb,
    node,
    args: {
      how,
      where,
      ...(command === undefined ? {} : { command: withoutSecrets(command) }),
      ...(recording === undefined ? {} : { recording }),
    },
    ...(why === null ? {} : { why }),
  })
  return {
    ended: ({ code, msg, ...known }) => begun.ended({ code, ...(msg === undefined ? {} : { msg }), args: known }),
  }
}
