import type { ChannelEnd, OutputName, RemoteChannel, RemoteHost } from '../../src/remote/contract.ts'

/** A program on a machine that a test plays: what it is given is written down, what it says is said by the test. */
export class ScriptedChannel implements RemoteChannel {
  readonly command: string
  readonly signals: string[] = []
  readonly ended: Promise<ChannelEnd>
  received = Buffer.alloc(0)
  isInputEnded = false
  isPaused = false
  isClosed = false
  /** Whether it ends when it is sent a signal. */
  obeys = true
  #listener: ((chunk: Buffer, output: OutputName) => void) | null = null
  #settle: (end: ChannelEnd) => void = () => undefined

  constructor(command: string) {
    this.command = command
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** The program writes. */
  say(text: string | Buffer, output: OutputName = 'stdout'): this {
    this.#listener?.(Buffer.from(text), output)
    return this
  }

  /** The program ends. */
  exit(code: number, signal: string | null = null): void {
    this.#settle({ kind: 'exited', code, signal })
  }

  /** What carries it breaks. */
  drop(reason: string): void {
    this.#settle({ kind: 'dropped', reason })
  }

  write(chunk: Uint8Array): boolean {
    this.received = Buffer.concat([this.received, chunk])
    return true
  }

  onDrain(): void {}

  endInput(): void {
    this.isInputEnded = true
  }

  resize(): void {}

  onOutput(listener: (chunk: Buffer, output: OutputName) => void): void {
    if (this.#listener !== null) throw new Error('onOutput was called twice')
    this.#listener = listener
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  signal(name: 'INT' | 'TERM'): void {
    this.signals.push(name)
    if (this.obeys) this.exit(128, name)
  }

  close(): void {
    this.isClosed = true
    this.#settle({ kind: 'dropped', reason: 'closed' })
  }
}

/** A machine that a test plays; `onRun` says what each program does. */
export class ScriptedHost implements RemoteHost {
  readonly how = 'ssh'
  readonly label: string
  readonly channels: ScriptedChannel[] = []
  isClosed = false
  readonly #onRun: (channel: ScriptedChannel) => void

  constructor(name: string, onRun: (channel: ScriptedChannel) => void = () => undefined) {
    this.label = `mia@${name}:22`
    this.#onRun = onRun
  }

  async openShell(): Promise<RemoteChannel> {
    throw new Error('nobody declared a shell here')
  }

  async run(command: string): Promise<RemoteChannel> {
    const channel = new ScriptedChannel(command)
    this.channels.push(channel)
    // After whoever asked listens.
    setImmediate(() => this.#onRun(channel))
    return channel
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}
