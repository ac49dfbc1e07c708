import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ShellFleet } from '../test/support/shell-fleet.ts'

/**
 * The round trip of a key through a shell in the console beside plain `ssh`: both on a pseudo terminal of their own, to the
 * same sshd on loopback, where `cat` on a raw terminal sends each byte back. One key at a time, in rounds that take turns; the
 * console records, and its fleet model goes on beneath.
 */
const { values } = parseArgs({
  options: { keys: { type: 'string', default: '200' }, rounds: { type: 'string', default: '10' } },
})
const keys = Number(values.keys)
const rounds = Number(values.rounds)
const WAIT_MS = 30_000
const RUNNER = fileURLToPath(new URL('../test/support/run-on-pty.py', import.meta.url))
const ECHO = 'stty raw -echo; printf ready-$((40+2)); cat\r'

if (!existsSync(fileURLToPath(new URL('../dist/edgedeck.js', import.meta.url))))
  throw new Error('not built yet: npm run build')
await using fleet = await ShellFleet.start()
const { sshd, dir } = fleet

/** A terminal session whose far end sends every byte back. */
class EchoSession {
  readonly process: ChildProcessWithoutNullStreams
  #seen = ''
  #waiting: (() => void) | null = null

  constructor(command: readonly string[]) {
    this.process = spawn('python3', [RUNNER, '100', '30', ...command], { env: fleet.env })
    this.process.stdout.on('data', (chunk: Buffer) => {
      this.#seen += chunk.toString('latin1')
      this.#waiting?.()
    })
  }

  type(text: string): void {
    this.process.stdin.write(text)
  }

  /** Wait for a text behind what was seen before. */
  async until(text: string): Promise<void> {
    const endMs = performance.now() + WAIT_MS
    while (!this.#seen.includes(text)) {
      if (performance.now() > endMs) throw new Error(`"${text}" never came: ${this.#seen.slice(-500)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        this.#waiting = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#seen = ''
  }

  /** Time until a key is back, ms. */
  async trip(key: string): Promise<number> {
    const beginMs = performance.now()
    this.type(key)
    await this.until(key)
    return performance.now() - beginMs
  }

  async end(): Promise<void> {
    this.process.stdin.end()
    this.process.kill('SIGKILL')
    await new Promise((resolve) => this.process.once('close', resolve))
  }
}

const ssh = new EchoSession([
  'ssh',
  '-F',
  join(dir, 'ssh_config'),
  '-o',
  `UserKnownHostsFile=${join(dir, 'known_hosts')}`,
  '-p',
  String(sshd.port),
  `${sshd.user}@${sshd.host}`,
])
const ours = new EchoSession([process.execPath, ...fleet.command([])])
try {
  await ours.until('press-4')
  ours.type('s')
  await ours.until('leave with exit')
  for (const session of [ssh, ours]) {
    session.type(ECHO)
    await session.until('ready-42')
  }
  const trips = { ssh: [] as number[], edgedeck: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, session] of [
      ['ssh', ssh],
      ['edgedeck', ours],
    ] as const) {
      for (let index = 0; index < keys; index += 1) {
        const ms = await session.trip(String.fromCharCode(97 + (index % 26)))
        // The first keys of a round wake both ends.
        if (index >= 5) trips[name].push(ms)
      }
    }
  }
  const line = (name: keyof typeof trips): string =>
    `${name.padEnd(9)} p50 ${percentile(trips[name], 0.5)} ms  p99 ${percentile(trips[name], 0.99)} ms  (${trips[name].length} keys)`
  const added = (share: number): string =>
    (Number(percentile(trips.edgedeck, share)) - Number(percentile(trips.ssh, share))).toFixed(2)
  process.stdout.write(`${line('ssh')}\n${line('edgedeck')}\nadded     p50 ${added(0.5)} ms  p99 ${added(0.99)} ms\n`)
} finally {
  await Promise.all([ssh.end(), ours.end()])
}

function percentile(samples: readonly number[], share: number): string {
  const sorted = samples.toSorted((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2)
}
