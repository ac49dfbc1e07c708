import { endText, isOk, type NodeOutcome } from '../shell/fan-out-outcome.ts'
import { unkeptBytes } from '../shell/fan-out-output.ts'

/**
 * An outcome as `-o json` and `ndjson` have it: what the program wrote is there as it is (what is not UTF-8 as U+FFFD), up
 * to the bound; `error` is null where it ran to its end. Not safe to show as it stands: see `safeJson`.
 */
export function outcomeAsJson(outcome: NodeOutcome): Record<string, unknown> {
  const { key, label, end, stdout, stderr, durationMs } = outcome
  const exited = end.kind === 'exited' ? end : null
  return {
    node: key,
    label,
    ok: isOk(outcome),
    end: end.kind,
    exitCode: exited?.code ?? null,
    signal: exited?.signal ?? null,
    error: exited === null ? { code: errorCode(outcome), message: endText(end), next: nextOf(outcome) } : null,
    stdout: stdout.text,
    stderr: stderr.text,
    stdoutBytes: stdout.totalBytes,
    stderrBytes: stderr.totalBytes,
    truncated: unkeptBytes(outcome) > 0,
    durationMs: Math.round(durationMs),
  }
}

function errorCode({ end }: NodeOutcome): string {
  return end.kind === 'unreachable' ? end.code : end.kind.toUpperCase()
}

function nextOf({ end }: NodeOutcome): readonly string[] {
  return end.kind === 'unreachable' ? end.next : []
}
