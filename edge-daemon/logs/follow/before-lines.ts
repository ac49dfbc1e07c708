import type { LogLevel } from '../../../protocol/records.ts'
import type { FieldValue } from '../lines/fields.ts'
import type { LineClass } from './line-class.ts'

/** A line that another takes along. */
export interface BeforeLine {
  readonly timestamp: number
  readonly level: LogLevel
  readonly msg: string
}

/** A line as it is read: its fields tell lines apart whose message is the same. */
export type ReadLine = BeforeLine & { readonly fields: Readonly<Record<string, FieldValue>> | null }

/** Characters of a line that is taken along. */
const MAX_CHARS = 1024
/** A line of so few characters is kept as it is until it goes along. */
const MOST_KEPT_CHARS = 2048
/** Sources whose last lines are remembered; beyond, the one that was silent longest is forgotten. */
const MAX_SOURCES = 1024

/**
 * Remembers the last lines of each source, for the next one that goes up. A line goes along once, and not when it went up
 * itself: of a hundred errors in a row only the first takes lines along.
 */
export class BeforeLines {
  readonly #most: number
  readonly #bySource = new Map<string, ReadLine[]>()

  /** @param most lines to take along, `logs.before` */
  constructor(most: number) {
    this.#most = most
  }

  /** The next line of a source. Returns what it takes along, which is nothing when it stays on the node. */
  take(source: string, line: ReadLine, lineClass: LineClass): readonly BeforeLine[] {
    if (this.#most === 0) return []
    const gathered = this.#bySource.get(source)
    if (lineClass === 'error') {
      if (gathered === undefined) return []
      this.#bySource.delete(source)
      return gathered.map(shortened)
    }
    // Few lines ever go along, so that only one that is large is made short at once.
    const short = isSmall(line) ? line : { ...shortened(line), fields: null }
    if (gathered === undefined) {
      this.#forgetOne()
      this.#bySource.set(source, [short])
      return []
    }
    gathered.push(short)
    if (gathered.length > this.#most) gathered.shift()
    return []
  }

  #forgetOne(): void {
    if (this.#bySource.size < MAX_SOURCES) return
    const [oldest] = this.#bySource.keys()
    if (oldest !== undefined) this.#bySource.delete(oldest)
  }
}

function isSmall({ msg, fields }: ReadLine): boolean {
  let chars = msg.length
  for (const name in fields) {
    const value = fields[name]
    chars += name.length + (typeof value === 'string' ? value.length : 0)
  }
  return chars <= MOST_KEPT_CHARS
}

function shortened(line: ReadLine): BeforeLine {
  return { timestamp: line.timestamp, level: line.level, msg: shortText(line) }
}

/** Message, then fields as `name=value`, as filters read a line; no more of it than goes along. */
function shortText({ msg, fields }: ReadLine): string {
  let text = msg
  for (const name in fields) {
    if (text.length > MAX_CHARS) break
    const value = String(fields[name])
    text += ` ${name}=${value.length > MAX_CHARS ? value.slice(0, MAX_CHARS) : value}`
  }
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS - 1)}…` : text
}
