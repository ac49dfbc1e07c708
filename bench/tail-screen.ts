/**
 * The log screen of the console over many nodes that log much: CPU, keys, age of the newest line in sight, memory, and what
 * it says of lines that it does not hold; while it follows, while it is paused, while somebody stands on a line, and with the
 * fleet screen open for comparison. Real processes, a real pseudo terminal; the nodes are simulated in a process of their own.
 *
 * Run with `node bench/tail-screen.ts [--nodes 50] [--lines 1000] [--seconds 8]` after `npm run build`. Needs python3.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PtyProcess } from '../test/support/pty.ts'
import { clockTicksPerSec, cpuTimeUsOfTree } from './infer/cpu-time.ts'
import { spread } from './spread.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const WARM_UP_MS = 6000
const KEYS = 12
const KEY_WAIT_MS = 30_000
const ESC = '\u001b'
/** What is typed to come to each state, from the one before. */
const STATES = [
  { name: 'fleet screen', keys: [] },
  { name: 'following', keys: ['l', 'a'] },
  { name: 'standing', keys: ['k'] },
  { name: 'paused', keys: ['G', '='] },
] as const

/** What one state took. */
interface Measure {
  readonly cpuPct: number
  readonly bytesPerSec: number
  readonly keyMs: readonly number[]
  /** How long ago the newest line in sight was written, ms; null where none is in sight. */
  readonly ageMs: readonly number[]
  readonly peakMb: number
  readonly title: string
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '50' },
      lines: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '8' },
    },
  })
  const [nodes = 0, lines = 0, seconds = 0] = [values.nodes, values.lines, values.seconds].map(Number)
  const flood = ['--nodes', `${nodes}`, '--logs', `${nodes * lines}`, '--hz', '20', '--change', '0.05']
  const simulator = spawn(process.execPath, [here('simulator/main.ts'), ...flood], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-bench-tail-screen-'))
  try {
    const [line] = (await once(createInterface({ input: simulator.stdout }), 'line')) as [string]
    const config = join(dir, 'config.yaml')
    const addresses = JSON.parse(line) as { readonly key: string; readonly url: string }[]
    writeFileSync(config, JSON.stringify({ nodes: addresses.map(({ key, url }) => ({ name: key, url })) }))
    const env = { ...process.env, TERM: 'xterm-256color', COLORTERM: 'truecolor', TZ: 'UTC', XDG_STATE_HOME: dir }
    const terminal = new PtyProcess([process.execPath, here('../dist/edgedeck.js'), '--config', config], {
      columns: 160,
      rows: 50,
      env,
    })
    terminal.answer()
    try {
      await terminal.emulator.until((screen) => screen.includes(addresses[0]?.key ?? ''), KEY_WAIT_MS)
      console.log(`${nodes} nodes × ${lines} lines/s, ${seconds} s in each state`)
      for (const { name, keys } of STATES) {
        for (const key of keys) {
          terminal.type(key)
          await sleep(1500)
        }
        await sleep(WARM_UP_MS)
        print(name, await measure(terminal, seconds))
      }
    } finally {
      await terminal.dispose()
    }
  } finally {
    simulator.kill()
    rmSync(dir, { recursive: true })
  }
}

function print(name: string, { cpuPct, bytesPerSec, keyMs, ageMs, peakMb, title }: Measure): void {
  console.log(
    `${name.padEnd(14)} CPU ${cpuPct} %, ${Math.round(bytesPerSec / 1000)} kB/s to the terminal, peak ${peakMb} MB`,
  )
  console.log(`${' '.repeat(14)} key to screen, ms (min / median / max): ${spread([...keyMs], 0)}`)
  if (ageMs.length > 0) console.log(`${' '.repeat(14)} age of the newest line in sight, ms: ${spread([...ageMs], 0)}`)
  if (title !== '') console.log(`${' '.repeat(14)} ${title}`)
}

async function measure(terminal: PtyProcess, seconds: number): Promise<Measure> {
  const pid = await terminal.pid
  const ticks = clockTicksPerSec()
  const bytes = terminal.emulator.output.length
  const beganUs = cpuTimeUsOfTree(pid, ticks)
  const beganMs = performance.now()
  const ageMs: number[] = []
  while (performance.now() - beganMs < seconds * 1000) {
    await sleep(250)
    await terminal.emulator.settle()
    const age = ageOfNewest(terminal.emulator.text())
    if (age !== null) ageMs.push(age)
  }
  const tookMs = performance.now() - beganMs
  const cpuPct = Math.round((cpuTimeUsOfTree(pid, ticks) - beganUs) / tookMs / 10)
  const bytesPerSec = ((terminal.emulator.output.length - bytes) / tookMs) * 1000
  const keyMs: number[] = []
  for (let key = 0; key < KEYS; key += 1) {
    keyMs.push(await keyToScreen(terminal))
    await sleep(100 + 150 * Math.random())
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const peakMb = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  const title = terminal.emulator.text().find((row) => row.includes(' logs of ')) ?? ''
  return { cpuPct, bytesPerSec, keyMs, ageMs, peakMb, title: title.replace(/─+/g, ' ').trim() }
}

/** From typing `:` until the list of commands is in sight; it is closed again. */
async function keyToScreen(terminal: PtyProcess): Promise<number> {
  const isOpen = (): boolean => terminal.emulator.screen().includes('run an action')
  const beganMs = performance.now()
  terminal.type(':')
  while (!isOpen()) {
    if (performance.now() - beganMs > KEY_WAIT_MS) throw new Error(`no key is answered:\n${terminal.emulator.screen()}`)
    await sleep(2)
  }
  const tookMs = performance.now() - beganMs
  terminal.type(ESC)
  while (isOpen()) await sleep(5)
  return tookMs
}

/** Age of the last line that has a time, on the clock of this machine, which is that of the nodes. */
function ageOfNewest(rows: readonly string[]): number | null {
  const now = new Date()
  const found = rows.findLast((row) => /^.?\d\d:\d\d:\d\d\.\d{3} /.test(row))
  if (found === undefined) return null
  const [, hours, minutes, secs] = /(\d\d):(\d\d):(\d\d\.\d{3})/.exec(found) ?? []
  const dayMs = (Number(hours) * 3600 + Number(minutes) * 60 + Number(secs)) * 1000
  return now.getTime() - (Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()) + dayMs)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

await main()
