import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * CPU time that a process and all its descendants have taken, user and system, in microseconds; from
 * `/proc/<pid>/stat` (proc_pid_stat(5)), so its grain is a clock tick, usually 10 ms.
 */
export function cpuTimeUsOfTree(rootPid: number, ticksPerSec: number): number {
  const rows = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)))
  const wanted = new Set([rootPid])
  // A child's pid may be below its parent's, so go on until nothing is added.
  for (let size = 0; size !== wanted.size; ) {
    size = wanted.size
    for (const row of rows) if (wanted.has(row.parent)) wanted.add(row.pid)
  }
  const ticks = rows.filter((row) => wanted.has(row.pid)).reduce((sum, row) => sum + row.ticks, 0)
  return (ticks / ticksPerSec) * 1e6
}

/** Clock ticks a second of this kernel. */
export function clockTicksPerSec(): number {
  return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
}

function readStat(pid: number): { pid: number; parent: number; ticks: number }[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return [] // It ended meanwhile.
  }
  // The name, field 2, may hold spaces and brackets; fields are counted from behind its last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return [{ pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }]
}
