import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** What a command left behind. */
export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The console's plain commands as a real process, from source unless another program is named. */
export class EdgedeckProcess {
  readonly child: ChildProcessWithoutNullStreams
  stdout = ''
  stderr = ''
  readonly result: Promise<CommandResult>

  constructor(args: readonly string[], env: Record<string, string> = {}, program = MAIN) {
    this.child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, XDG_CONFIG_HOME: '/nonexistent', ...env },
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.result = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** Wait until the output looks so. */
  async until(so: () => boolean, timeoutMs = 60_000): Promise<void> {
    const endMs = performance.now() + timeoutMs
    while (!so()) {
      if (performance.now() > endMs) throw new Error(`not so after ${timeoutMs} ms:\n${this.stdout}\n${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
}

/** Run a command to its end. */
export function edgedeck(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return new EdgedeckProcess(args, env).result
}
