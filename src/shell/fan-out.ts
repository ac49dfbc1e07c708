import { NO_OUTPUT } from './fan-out-kept.ts'
import { type FanOutTarget, NodeRun, type NodeRunOptions } from './fan-out-node.ts'
import { isOk, type NodeOutcome, type SkipReason } from './fan-out-outcome.ts'

/** How a command is run on many nodes. */
export interface FanOutOptions extends NodeRunOptions {
  readonly targets: readonly FanOutTarget[]
  /** How many nodes at a time. */
  readonly parallel: number
  /** For all nodes together, ms; null for no end. */
  readonly deadlineMs: number | null
  /** Begin no more once so many were not content; null goes on to the last. */
  readonly maxFailures: number | null
  /** Hear how each node ended, as it does. */
  readonly onEnd?: (outcome: NodeOutcome) => void
}

/**
 * The same command on many nodes, so many at a time. A node that hangs, floods or refuses costs its own place for its own
 * time and nothing else; every node has an outcome at the end, also those that were never begun.
 */
export class FanOut {
  readonly #options: FanOutOptions
  readonly #running = new Set<NodeRun>()
  readonly #holders = new Set<string>()
  readonly #outcomes = new Map<string, NodeOutcome>()
  #skips: SkipReason | null = null
  #failures = 0
  #next = 0

  constructor(options: FanOutOptions) {
    this.#options = options
  }

  /** Keys of the nodes that are connected to or run now. */
  get running(): readonly string[] {
    return Array.from(this.#running, ({ key }) => key)
  }

  /** How many nodes have ended, or were left out. */
  get ended(): number {
    return this.#outcomes.size
  }

  /** Run it everywhere; outcomes in the order of the targets. To be called once. */
  async run(): Promise<readonly NodeOutcome[]> {
    const { targets, parallel, deadlineMs, schedule } = this.#options
    const cancel = deadlineMs === null ? null : schedule(() => this.#end('deadline'), deadlineMs)
    await Promise.all(Array.from({ length: Math.min(parallel, targets.length) }, () => this.#work()))
    cancel?.()
    return targets.map(({ key }) => this.#outcomes.get(key) ?? this.#skip(key))
  }

  /** Begin no more, and ask what runs to stop. */
  stop(): void {
    this.#end('interrupted')
  }

  /** Begin no more, and break off what runs at once. */
  kill(): void {
    this.#skips ??= 'interrupted'
    for (const run of this.#running) run.kill({ kind: 'interrupted' })
  }

  /** Let every program wait, because somebody (`by`) takes no more lines now. */
  hold(by: string): void {
    this.#holders.add(by)
    for (const run of this.#running) run.pause()
  }

  /** That somebody takes lines again; programs go on when nobody else holds them. */
  release(by: string): void {
    if (!this.#holders.delete(by) || this.#holders.size > 0) return
    for (const run of this.#running) run.resume()
  }

  async #work(): Promise<void> {
    const { targets, onEnd } = this.#options
    for (;;) {
      const target = this.#skips === null ? targets[this.#next] : undefined
      if (target === undefined) return
      this.#next += 1
      const run = new NodeRun(target, this.#options)
      this.#running.add(run)
      if (this.#holders.size > 0) run.pause()
      const outcome = await run.run()
      this.#running.delete(run)
      this.#outcomes.set(target.key, outcome)
      onEnd?.(outcome)
      if (!isOk(outcome)) this.#failed()
    }
  }

  #failed(): void {
    const { maxFailures } = this.#options
    this.#failures += 1
    if (maxFailures !== null && this.#failures >= maxFailures) this.#skips ??= 'failures'
  }

  #end(why: 'deadline' | 'interrupted'): void {
    this.#skips ??= why
    for (const run of this.#running) {
      run.stop(why === 'deadline' ? { kind: 'timeout', limit: 'deadline' } : { kind: 'interrupted' })
    }
  }

  #skip(key: string): NodeOutcome {
    const end = { kind: 'skipped', why: this.#skips ?? 'interrupted' } as const
    const outcome = { key, label: null, end, stdout: NO_OUTPUT, stderr: NO_OUTPUT, durationMs: 0 }
    this.#outcomes.set(key, outcome)
    this.#options.onEnd?.(outcome)
    return outcome
  }
}
