import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { descendants } from '../../test/support/process-tree.ts'

/** What a command took. */
export interface MeasuredRun {
  readonly wallSec: number
  /** User and system time of the command and all that it started, s. */
  readonly cpuSec: number
  /** Most resident memory of all its processes together, as looked at every 50 ms, MiB. */
  readonly peakMib: number
  readonly stdout: string
  readonly code: number | null
}

const LOOK_EVERY_MS = 50

/** Run a command line of bash and measure it. */
export async function measuredRun(line: string, env: Readonly<Record<string, string>>): Promise<MeasuredRun> {
  const timed = `TIMEFORMAT='%R %U %S'; time { ${line} 2>/dev/null; }`
  const child = spawn('bash', ['-c', timed], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  let peakKib = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const timer = setInterval(() => {
    const pids = child.pid === undefined ? [] : descendants(child.pid)
    peakKib = Math.max(
      peakKib,
      pids.reduce((sum, pid) => sum + residentKib(pid), 0),
    )
  }, LOOK_EVERY_MS)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  clearInterval(timer)
  const [wallSec = Number.NaN, user = Number.NaN, system = Number.NaN] = stderr.trim().split(/\s+/).map(Number)
  return { wallSec, cpuSec: user + system, peakMib: peakKib / 1024, stdout, code }
}

function residentKib(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
