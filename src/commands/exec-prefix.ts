import { createHash } from 'node:crypto'
import type { OutputName } from '../remote/contract.ts'
import { shownLine } from '../shell/fan-out-lines.ts'
import type { ColourDepth } from '../ui/terminal/style.ts'
import { fitText, widthOf } from '../ui/terminal/text.ts'

/** Foregrounds that are told apart on dark and on light. */
const COLOURS = [32, 33, 34, 35, 36, 92, 94, 95, 96] as const
const MAX_NAME_COLUMNS = 32

/** How lines of many nodes are printed among each other. */
export class PrefixLines {
  readonly #columns: number
  readonly #depth: ColourDepth

  constructor(keys: readonly string[], depth: ColourDepth) {
    this.#columns = Math.min(MAX_NAME_COLUMNS, Math.max(0, ...keys.map(widthOf)))
    this.#depth = depth
  }

  /** `node | line`, and `node ! line` for what the program wrote as an error. Safe to show. */
  text(key: string, line: string, output: OutputName): string {
    const safe = shownLine(key)
    const name = widthOf(safe) > this.#columns ? safe : fitText(safe, this.#columns)
    const mark = output === 'stdout' ? '|' : '!'
    const head = this.#depth === 'none' ? `${name} ${mark}` : `\x1b[${colourOf(key)}m${name} ${mark}\x1b[m`
    const shown = shownLine(line)
    return shown === '' ? `${head}\n` : `${head} ${shown}\n`
  }
}

/** A node has one colour in every run. */
function colourOf(key: string): number {
  const byte = createHash('sha256').update(key).digest()[0] ?? 0
  return COLOURS[byte % COLOURS.length] ?? 32
}
