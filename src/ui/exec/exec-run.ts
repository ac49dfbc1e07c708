import { OutcomeGroups } from '../../shell/fan-out-groups.ts'
import { isOk, type NodeOutcome } from '../../shell/fan-out-outcome.ts'
import { outputLines, unkeptBytes } from '../../shell/fan-out-output.ts'
import type { ExecNode } from '../../shell/fan-out-rights.ts'

/** Lines of what still runs that are shown. */
const RECENT_LINES = 200

/** A row of a run: nodes that are alike so far. */
export interface ExecRow {
  /** The same for the same row as long as it is there. */
  readonly id: string
  readonly kind: 'ended' | 'running' | 'waiting'
  readonly keys: readonly string[]
  /** One of the ended; null while they run or wait. */
  readonly sample: NodeOutcome | null
  /** All of the ended, for what differs between them. */
  readonly outcomes: readonly NodeOutcome[]
}

/** A command on many nodes as the console shows it, while it goes on and after. */
export class ExecRun {
  readonly nodes: readonly ExecNode[]
  readonly command: string
  /** Unix ms. */
  readonly beganMs: number
  readonly #waiting: Set<string>
  readonly #running = new Set<string>()
  readonly #groups = new OutcomeGroups()
  readonly #outcomes: NodeOutcome[] = []
  #recent: string[] = []
  #endedMs: number | null = null
  #fault: string | null = null
  #shown: { readonly of: NodeOutcome; readonly lines: readonly string[] } | null = null

  constructor(nodes: readonly ExecNode[], command: string, beganMs: number) {
    this.nodes = nodes
    this.command = command
    this.beganMs = beganMs
    this.#waiting = new Set(nodes.map(({ key }) => key))
  }

  get isOver(): boolean {
    return this.#endedMs !== null
  }

  /** Why nothing was run at all; null when it was. Safe to show. */
  get fault(): string | null {
    return this.#fault
  }

  /** How long it has gone on, or went, ms. */
  tookMs(nowMs: number): number {
    return (this.#endedMs ?? nowMs) - this.beganMs
  }

  /** `2 wait, 3 running, 7 ok, 1 failed, 1 not reached`. */
  counts(): string {
    const ok = this.#outcomes.filter(isOk).length
    const failed = this.#outcomes.filter((outcome) => outcome.end.kind === 'exited' && !isOk(outcome)).length
    const others = this.#outcomes.length - ok - failed
    const parts = [
      [this.#waiting.size, 'waiting'],
      [this.#running.size, 'running'],
      [ok, 'ok'],
      [failed, 'failed'],
      [others, 'not reached or ended'],
    ] as const
    return parts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`])).join(', ')
  }

  running(key: string): void {
    if (this.#waiting.delete(key)) this.#running.add(key)
  }

  /** A line of what runs; safe to show. */
  line(text: string): void {
    this.#recent.push(text)
    if (this.#recent.length > 2 * RECENT_LINES) this.#recent = this.#recent.slice(-RECENT_LINES)
  }

  ended(outcome: NodeOutcome): void {
    this.#waiting.delete(outcome.key)
    this.#running.delete(outcome.key)
    this.#outcomes.push(outcome)
    this.#groups.add(outcome)
  }

  /** Nothing of it runs any more; with a fault nothing ever did. */
  over(atMs: number, fault: string | null = null): void {
    this.#endedMs = atMs
    this.#fault = fault
  }

  /** What still runs first, then what ended: the largest group first. */
  rows(): ExecRow[] {
    const open = [
      { id: 'running', kind: 'running', keys: [...this.#running], sample: null, outcomes: [] },
      { id: 'waiting', kind: 'waiting', keys: [...this.#waiting], sample: null, outcomes: [] },
    ] as const satisfies ExecRow[]
    const ended = this.#groups.sorted().map(
      ({ id, outcomes }): ExecRow => ({
        id,
        kind: 'ended',
        keys: outcomes.map(({ key }) => key),
        sample: outcomes[0],
        outcomes,
      }),
    )
    return [...(this.isOver ? [] : open.filter(({ keys }) => keys.length > 0)), ...ended]
  }

  /** Output of a row, line by line: of what runs the last that came. Safe to show. */
  output({ sample, kind }: ExecRow): readonly string[] {
    if (kind === 'waiting') return []
    if (sample === null) return this.#recent.slice(-RECENT_LINES)
    if (this.#shown?.of !== sample) {
      const missing = unkeptBytes(sample)
      const rest = missing === 0 ? [] : [`… ${missing} bytes more, not kept`]
      this.#shown = { of: sample, lines: [...outputLines(sample), ...rest] }
    }
    return this.#shown.lines
  }
}

/** The row that the cursor is on; the first where that is gone. */
export function rowUnderCursor(rows: readonly ExecRow[], cursorId: string | null): ExecRow | null {
  return rows.find(({ id }) => id === cursorId) ?? rows[0] ?? null
}
