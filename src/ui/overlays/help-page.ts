import { helpFor, type KeyHint } from '../../actions/keymap.ts'
import { actionOf, missingFor } from '../../actions/table.ts'
import type { Console } from '../console.ts'

/** Rows of a screen that the frame, the title and the last line of help take, with a margin. */
const OTHER_ROWS = 6

/** Which part of help is open. */
export interface HelpPage {
  readonly shown: readonly (KeyHint & { readonly missing: string | null })[]
  /** Row that the part begins at. */
  readonly first: number
  readonly count: number
}

/** The keys of the open screen from row `first` on, as many as a terminal of so many rows has room for. */
export function helpPage(console: Console, first: number, screenRows: number): HelpPage {
  const hints = helpFor(console.parts.keymap, console.contexts()).filter(({ keys }) => keys.length > 0)
  const room = Math.max(1, screenRows - OTHER_ROWS)
  const begin = Math.max(0, Math.min(first, hints.length - room))
  const acting = console.acting()
  const shown = hints
    .slice(begin, begin + room)
    .map((hint) => ({ ...hint, missing: missingFor(actionOf(hint.action), acting) }))
  return { shown, first: begin, count: hints.length }
}
