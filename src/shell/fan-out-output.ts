import type { KeptText } from './fan-out-kept.ts'
import { shownLine } from './fan-out-lines.ts'
import type { NodeOutcome } from './fan-out-outcome.ts'

/** What the program wrote, then what it wrote as an error, each of these lines marked by `! `. Safe to show. */
export function outputLines({ stdout, stderr }: Pick<NodeOutcome, 'stdout' | 'stderr'>): string[] {
  return [...linesOf(stdout), ...linesOf(stderr).map((line) => `! ${line}`)]
}

function linesOf({ text }: KeptText): string[] {
  if (text === '') return []
  const whole = text.endsWith('\n') ? text.slice(0, -1) : text
  return whole.split('\n').map((line) => shownLine(line.endsWith('\r') ? line.slice(0, -1) : line))
}

/** Bytes of a node's output that were counted and not kept. */
export function unkeptBytes({ stdout, stderr }: Pick<NodeOutcome, 'stdout' | 'stderr'>): number {
  return stdout.totalBytes - stdout.keptBytes + stderr.totalBytes - stderr.keptBytes
}
