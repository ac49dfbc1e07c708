import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Ack } from './evidence.ts'

/** What became of a request, counted. */
export interface RequestCounts {
  /** Acknowledged and, by the answer, kept. */
  acks: number
  /** Answered, with `stored: false`. */
  notStored: number
  /** Answered without a result: overloaded, starting, stopping. */
  refused: number
  /** No answer came, though the daemon may have taken it. */
  unanswered: number
}

/** Every acknowledgement that anybody got, in a file of the oracle's own. */
export class AckJournal {
  readonly #path: string
  readonly #fd: number
  readonly #counts = new Map<string, RequestCounts>()

  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, 'a')
  }

  acknowledged(ack: Ack): void {
    writeSync(this.#fd, `${JSON.stringify(ack)}\n`)
    this.of(ack.node).acks += 1
  }

  /** Counts of one node, to be counted up. */
  of(node: string): RequestCounts {
    let counts = this.#counts.get(node)
    if (counts === undefined) {
      counts = { acks: 0, notStored: 0, refused: 0, unanswered: 0 }
      this.#counts.set(node, counts)
    }
    return counts
  }

  total(what: keyof RequestCounts): number {
    return [...this.#counts.values()].reduce((sum, counts) => sum + counts[what], 0)
  }

  unanswered(): ReadonlyMap<string, number> {
    return new Map([...this.#counts].map(([node, { unanswered }]) => [node, unanswered]))
  }

  /** All acknowledgements, as the file has them. */
  read(): Ack[] {
    const lines = readFileSync(this.#path, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Ack)
  }

  close(): void {
    closeSync(this.#fd)
  }
}
