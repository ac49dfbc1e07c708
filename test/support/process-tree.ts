import { readdirSync, readFileSync } from 'node:fs'

/** Where proc(5) has the time at which a process began, counted from its state on. */
const STARTED_AT = 19

/** Whether a process exists and is not a zombie that merely waits to be collected. */
export function isAlive(pid: number): boolean {
  const stat = readStat(pid)
  return stat !== null && stat.state !== 'Z'
}

/** Every process below `pid`, as of now. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : null
    if (stat !== null) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)])
  }
  const found: number[] = []
  const open = [pid]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const below = children.get(next) ?? []
    found.push(...below)
    open.push(...below)
  }
  return found
}

/** Processes that were seen, known again by when they began: on a busy machine a number is another's within minutes. */
export class SeenProcesses {
  readonly #startedAt = new Map<number, string>()

  /** Remember some that live. */
  note(pids: readonly number[]): void {
    for (const pid of pids) {
      const stat = readStat(pid)
      if (stat !== null) this.#startedAt.set(pid, stat.startedAt)
    }
  }

  /** Those that still live. */
  alive(): number[] {
    return [...this.#startedAt].flatMap(([pid, startedAt]) => {
      const stat = readStat(pid)
      return stat !== null && stat.state !== 'Z' && stat.startedAt === startedAt ? [pid] : []
    })
  }

  /** Kill those that still live. */
  kill(): void {
    for (const pid of this.alive()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended meanwhile.
      }
    }
  }
}

function readStat(pid: number): { state: string; parent: number; startedAt: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name is in brackets and may hold anything, brackets too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state = '', parent = ''] = fields
    return { state, parent: Number(parent), startedAt: fields[STARTED_AT] ?? '' }
  } catch {
    return null
  }
}
