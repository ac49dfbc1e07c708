import type { NodeOutcome } from './fan-out-outcome.ts'

/** A quoted text that stood where the name of a program does, and that reads like a line of the shell. */
export interface QuotedName {
  /** With its quotes, as a shell takes it. */
  readonly quoted: string
  /** What is in the quotes. */
  readonly text: string
}

/** What a POSIX shell ends with where it finds no program of a name. */
const NOT_FOUND = 127
/** The first word, in single quotes as {@link quoteCommand} and most people write it. */
const FIRST_WORD = /^\s*((?:'[^']*'|\\')+)\s*$/

/** Whether a command came to nothing because a whole line stood in quotes: nowhere is a program of that name. Null for no. */
export function quotedName(command: string, outcomes: readonly Pick<NodeOutcome, 'end'>[]): QuotedName | null {
  const wasNotFound = outcomes.some(({ end }) => end.kind === 'exited' && end.signal === null && end.code === NOT_FOUND)
  const quoted = FIRST_WORD.exec(command)?.[1]
  if (!wasNotFound || quoted === undefined) return null
  const text = quoted.replaceAll("'\\''", '\u0000').replaceAll("'", '').replaceAll('\u0000', "'")
  return /[\s;&|<>()$`]/.test(text) ? { quoted, text } : null
}
