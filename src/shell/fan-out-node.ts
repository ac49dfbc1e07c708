import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { Schedule } from '../fleet/coalescer.ts'
import type { ChannelEnd, OutputName, RemoteChannel, RemoteHost } from '../remote/contract.ts'
import { KeptOutputs } from './fan-out-kept.ts'
import { LineSplitter } from './fan-out-lines.ts'
import type { NodeEnd, NodeOutcome } from './fan-out-outcome.ts'

/** One of the nodes that a command is run on. */
export interface FanOutTarget {
  /** The operator's name of the node. */
  readonly key: string
  /**
   * Connect, asking nobody anything; given up when `signal` aborts.
   * @throws EdgeError that says what is missing and what to do
   */
  open(signal: AbortSignal): Promise<RemoteHost>
}

/** How a command is run on each node. */
export interface NodeRunOptions {
  /** A line for the shell there. */
  readonly command: string
  /** For the connection, ms. */
  readonly connectTimeoutMs: number
  /** From when the command was taken, ms; null lets it run. */
  readonly commandTimeoutMs: number | null
  /** Kept of its outputs together; what is beyond is counted. */
  readonly maxOutputBytes: number
  /** Given to the program's input, which then ends. */
  readonly input: Uint8Array
  readonly schedule: Schedule
  /** Monotonic, ms. */
  readonly nowMs: () => number
  /** Done between connecting and running; nothing is run when it rejects. */
  readonly beforeRun?: (key: string, host: RemoteHost) => Promise<void>
  /** Hear that the command runs. */
  readonly onRunning?: (key: string, label: string) => void
  /** Hear each line as it comes, without its end; untrusted. */
  readonly onLine?: (key: string, line: string, output: OutputName) => void
}

/** How long a program that was asked to stop may take until its connection is closed, and the connection to close. */
const STOP_GRACE_MS = 2000
const CLOSE_GRACE_MS = 2000
const INPUT_CHUNK_BYTES = 32 * 1024

/** Why a command is stopped. */
export type StopReason =
  | { readonly kind: 'timeout'; readonly limit: 'command' | 'deadline' }
  | { readonly kind: 'interrupted' }

/** A command on one node, from connecting to how it ended. */
export class NodeRun {
  readonly key: string
  readonly #target: FanOutTarget
  readonly #options: NodeRunOptions
  readonly #connecting = new AbortController()
  readonly #kept: KeptOutputs
  readonly #cancels: (() => void)[] = []
  readonly #givenUp = Promise.withResolvers<NodeEnd>()
  #label: string | null = null
  #channel: RemoteChannel | null = null
  #stopped: StopReason | null = null
  #isPaused = false
  #isOver = false

  constructor(target: FanOutTarget, options: NodeRunOptions) {
    this.key = target.key
    this.#target = target
    this.#options = options
    this.#kept = new KeptOutputs(options.maxOutputBytes)
  }

  /** Run it; to be called once. Never rejects. */
  async run(): Promise<NodeOutcome> {
    const { nowMs } = this.#options
    const beganMs = nowMs()
    const opened = this.#open()
    const end = await Promise.race([this.#go(opened), this.#givenUp.promise])
    this.#isOver = true
    for (const cancel of this.#cancels) cancel()
    const durationMs = nowMs() - beganMs
    await this.#leave(opened)
    const { stdout, stderr } = this.#kept
    return { key: this.key, label: this.#label, end, stdout: stdout.done(), stderr: stderr.done(), durationMs }
  }

  /** Ask the program to stop; its connection is closed when it does not. What has not connected is given up. */
  stop(reason: StopReason): void {
    if (this.#stopped !== null || this.#isOver) return
    this.#stopped = reason
    this.resume()
    if (this.#channel === null) {
      this.#giveUp({ ...reason, seen: true })
      return
    }
    this.#channel.signal?.(reason.kind === 'interrupted' ? 'INT' : 'TERM')
    this.#after(STOP_GRACE_MS, () => this.#channel?.close())
    this.#after(STOP_GRACE_MS + CLOSE_GRACE_MS, () => this.#giveUp({ ...reason, seen: false }))
  }

  /** Break off at once. */
  kill(reason: StopReason): void {
    this.#stopped ??= reason
    this.#channel?.close()
    // What never began to run is known not to.
    this.#giveUp({ ...this.#stopped, seen: this.#channel === null })
  }

  /** Let the program wait, because nobody takes its output now. */
  pause(): void {
    this.#isPaused = true
    this.#channel?.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#channel?.resume()
  }

  async #open(): Promise<RemoteHost> {
    return this.#target.open(this.#connecting.signal)
  }

  async #go(opened: Promise<RemoteHost>): Promise<NodeEnd> {
    const { command, connectTimeoutMs, commandTimeoutMs, beforeRun, onRunning } = this.#options
    const seconds = Math.round(connectTimeoutMs / 100) / 10
    const tooLate = this.#after(connectTimeoutMs, () =>
      this.#giveUp({ kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: `no connection in ${seconds} s`, next: [] }),
    )
    try {
      const host = await opened
      this.#label = host.label
      if (this.#connecting.signal.aborted) return await this.#givenUp.promise
      await beforeRun?.(this.key, host)
      if (this.#connecting.signal.aborted) return await this.#givenUp.promise
      this.#channel = await host.run(command)
    } catch (error) {
      return unreachable(error)
    }
    tooLate()
    // Given up meanwhile: the outcome is told already.
    if (this.#connecting.signal.aborted) {
      this.#channel.close()
      return await this.#givenUp.promise
    }
    onRunning?.(this.key, this.#label ?? this.key)
    if (commandTimeoutMs !== null) {
      this.#after(commandTimeoutMs, () => this.stop({ kind: 'timeout', limit: 'command' }))
    }
    return this.#endOf(await this.#follow(this.#channel))
  }

  async #follow(channel: RemoteChannel): Promise<ChannelEnd> {
    const { onLine } = this.#options
    const splitters = {
      stdout: new LineSplitter((line) => onLine?.(this.key, line, 'stdout')),
      stderr: new LineSplitter((line) => onLine?.(this.key, line, 'stderr')),
    }
    channel.onOutput((chunk, output) => {
      if (this.#isOver) return
      this.#kept[output].push(chunk)
      if (onLine !== undefined) splitters[output].push(chunk)
    })
    if (this.#isPaused) channel.pause()
    feed(channel, this.#options.input)
    const end = await channel.ended
    if (!this.#isOver) for (const splitter of [splitters.stdout, splitters.stderr]) splitter.end()
    return end
  }

  #endOf(end: ChannelEnd): NodeEnd {
    // What ended well before it heard that it should stop has ended well.
    const isWell = end.kind === 'exited' && end.code === 0 && end.signal === null
    if (this.#stopped !== null && !isWell) return { ...this.#stopped, seen: end.kind === 'exited' }
    return end.kind === 'exited' ? end : { kind: 'dropped', reason: untrusted(end.reason) }
  }

  #giveUp(end: NodeEnd): void {
    this.#connecting.abort()
    this.#givenUp.resolve(end)
  }

  /** Close the connection; a node that hangs does not hold the others up. */
  async #leave(opened: Promise<RemoteHost>): Promise<void> {
    const closed = opened.then(
      (host) => host.close(),
      () => undefined,
    )
    // What never connected is not waited for: it is closed when it comes after all.
    if (this.#connecting.signal.aborted) return void closed.catch(() => undefined)
    const { promise: isLate, resolve } = Promise.withResolvers<void>()
    const cancel = this.#options.schedule(resolve, CLOSE_GRACE_MS)
    await Promise.race([closed.catch(() => undefined), isLate])
    cancel()
  }

  #after(delayMs: number, fn: () => void): () => void {
    const cancel = this.#options.schedule(fn, delayMs)
    this.#cancels.push(cancel)
    return cancel
  }
}

/** Write all of an input as fast as it is taken, then end it. A program that reads none of it ends all the same. */
function feed(channel: RemoteChannel, input: Uint8Array): void {
  let from = 0
  const go = (): void => {
    while (from < input.length) {
      const chunk = input.subarray(from, from + INPUT_CHUNK_BYTES)
      from += chunk.length
      if (!channel.write(chunk)) return
    }
    if (from === input.length) {
      from += 1
      channel.endInput()
    }
  }
  if (input.length > 0) channel.onDrain(go)
  go()
}

function unreachable(error: unknown): NodeEnd {
  if (error instanceof EdgeError) {
    return { kind: 'unreachable', code: error.code, msg: untrusted(error.message), next: error.next.map(untrusted) }
  }
  return { kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: untrusted(messageOf(error)), next: [] }
}
