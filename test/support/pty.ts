import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Emulator } from './emulator.ts'

/** The emulator draws so much before more is read, as terminals do. */
const MOST_UNSEEN_BYTES = 1024 * 1024

/** How a command on a pseudo terminal ended. */
export interface PtyEnd {
  /** `exit CODE` or `signal NUMBER`. */
  readonly end: string
  /** Whether the terminal's modes (raw, echo, …) are as they were. */
  readonly modesRestored: boolean
}

/** A command that runs on a real pseudo terminal, seen through an emulator. Needs python3. */
export class PtyProcess {
  readonly emulator: Emulator
  /** Process id of the command itself. */
  readonly pid: Promise<number>
  /** Settles when the command has ended. */
  readonly ended: Promise<PtyEnd>
  private readonly runner: ChildProcess
  private answers = false

  constructor(command: readonly string[], options: { columns?: number; rows?: number; env?: NodeJS.ProcessEnv } = {}) {
    const { columns = 80, rows = 24, env = process.env } = options
    this.emulator = new Emulator(columns, rows)
    const runner = fileURLToPath(new URL('run-on-pty.py', import.meta.url))
    this.runner = spawn('python3', [runner, String(columns), String(rows), ...command], {
      env,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    let unseenBytes = 0
    this.runner.stdout?.on('data', (data: Buffer) => {
      this.emulator.write(data)
      unseenBytes += data.length
      if (unseenBytes < MOST_UNSEEN_BYTES) return
      unseenBytes = 0
      this.runner.stdout?.pause()
      void this.emulator.settle().then(() => this.runner.stdout?.resume())
    })
    // It has ended before us, which is what its end tells.
    for (const pipe of this.runner.stdio) pipe?.on('error', () => undefined)
    let errors = ''
    this.pid = new Promise((resolve, reject) => {
      this.runner.stderr?.on('data', (data: Buffer) => {
        errors += data.toString('utf8')
        const pid = /^pid (\d+)$/m.exec(errors)?.[1]
        if (pid) resolve(Number(pid))
      })
      this.runner.on('error', reject)
    })
    this.ended = new Promise((resolve) => {
      this.runner.on('close', () => {
        const end = /^(?:exit|signal) \d+$/m.exec(errors)?.[0] ?? `lost: ${errors}`
        resolve({ end, modesRestored: /^termios same$/m.test(errors) })
      })
    })
  }

  /** From now on the emulator's answers to questions (colours, place of the cursor) are typed, as terminals do. */
  answer(): void {
    if (this.answers) return
    this.answers = true
    this.emulator.terminal.onData((data) => this.type(data))
  }

  /** Type on the terminal. */
  type(keys: string | Uint8Array): void {
    this.runner.stdin?.write(keys)
  }

  /** Change the size of the terminal, as a window does. */
  resize(columns: number, rows: number): void {
    this.emulator.terminal.resize(columns, rows)
    const sizes = this.runner.stdio[3] as Writable
    sizes.write(`${columns} ${rows}\n`)
  }

  /** Send a signal to the command. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid, signal)
  }

  /** End it whatever it does. */
  async dispose(): Promise<void> {
    if (this.runner.exitCode === null) {
      try {
        process.kill(await this.pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
      await this.ended
    }
    this.emulator.dispose()
  }
}
