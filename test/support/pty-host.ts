import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ChannelEnd, RemoteChannel, RemoteHost, RemotePlace, TerminalSize } from '../../src/remote/contract.ts'

const RUNNER = fileURLToPath(new URL('run-on-pty.py', import.meta.url))

/** A "remote" shell that is a program of this machine on a pseudo terminal of its own. Needs python3. */
export class PtyHost implements RemoteHost {
  readonly how = 'ssh'
  readonly label: string
  /** Open channels, to cut them. */
  readonly channels: PtyChannel[] = []
  isClosed = false
  readonly #command: readonly string[]
  readonly #env: NodeJS.ProcessEnv

  constructor(command: readonly string[], { label = 'mia@10.0.0.4:22', env = process.env } = {}) {
    this.#command = command
    this.label = label
    this.#env = env
  }

  async openShell({ term, size }: { readonly term: string; readonly size: TerminalSize }): Promise<RemoteChannel> {
    const channel = new PtyChannel(this.#command, size, { ...this.#env, TERM: term })
    this.channels.push(channel)
    return channel
  }

  run(): Promise<RemoteChannel> {
    return Promise.reject(new Error('only shells'))
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const channel of this.channels) channel.close()
    await Promise.all(this.channels.map(({ ended }) => ended))
  }
}

/** The place of a host that is there at once. */
export function placeOf(host: RemoteHost, about: Partial<RemotePlace> = {}): RemotePlace {
  return { how: host.how, label: host.label, detail: 'over SSH', open: async () => host, ...about }
}

/** A program on a pseudo terminal as a channel. */
export class PtyChannel implements RemoteChannel {
  readonly ended: Promise<ChannelEnd>
  paused = false
  readonly #runner: ReturnType<typeof spawn>
  #cut: string | null = null

  constructor(command: readonly string[], { columns, rows }: TerminalSize, env: NodeJS.ProcessEnv) {
    this.#runner = spawn('python3', [RUNNER, String(columns), String(rows), ...command], {
      env,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    let errors = ''
    for (const pipe of this.#runner.stdio) pipe?.on('error', () => undefined)
    this.#runner.stderr?.on('data', (data: Buffer) => {
      errors += data.toString('utf8')
    })
    this.ended = new Promise((resolve) => {
      this.#runner.on('close', () => {
        const [, how, number] = /^(exit|signal) (\d+)$/m.exec(errors) ?? []
        if (this.#cut !== null) resolve({ kind: 'dropped', reason: this.#cut })
        else if (how === 'exit') resolve({ kind: 'exited', code: Number(number), signal: null })
        else resolve({ kind: 'exited', code: 128 + Number(number ?? 0), signal: number ?? 'lost' })
      })
    })
  }

  write(chunk: Uint8Array): boolean {
    return this.#runner.stdin?.write(chunk) ?? true
  }

  onDrain(listener: () => void): void {
    this.#runner.stdin?.on('drain', listener)
  }

  endInput(): void {
    this.#runner.stdin?.end()
  }

  resize({ columns, rows }: TerminalSize): void {
    ;(this.#runner.stdio[3] as Writable).write(`${columns} ${rows}\n`)
  }

  onOutput(listener: (chunk: Buffer, output: 'stdout' | 'stderr') => void): void {
    this.#runner.stdout?.on('data', (chunk: Buffer) => listener(chunk, 'stdout'))
  }

  pause(): void {
    this.paused = true
    this.#runner.stdout?.pause()
  }

  resume(): void {
    this.paused = false
    this.#runner.stdout?.resume()
  }

  close(): void {
    this.drop('it was closed')
  }

  /** The network takes it away. */
  drop(reason: string): void {
    if (this.#runner.exitCode !== null) return
    this.#cut ??= reason
    this.#runner.stdout?.resume()
    // The program goes with its terminal (SIGHUP).
    this.#runner.kill('SIGKILL')
  }
}
